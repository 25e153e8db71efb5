#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_mask.hpp  Which signals a child blocks: those that the program blocks where it
/// starts it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

namespace multiprocessing::inline v1::detail {

/// In a thread of the library that runs code of the program's, the mask of the thread that it works
/// for: its own blocks all signals, and a child that inherited that could not be terminated. Null
/// in other threads.
MULTIPROCESSING_INLINE const platform::SignalMask*& mask_of_principal() noexcept;

/// Returns the mask of a child that this thread starts.
MULTIPROCESSING_INLINE platform::SignalMask child_mask();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE const platform::SignalMask*& mask_of_principal() noexcept {
    static constinit thread_local const platform::SignalMask* mask = nullptr;
    return mask;
}

MULTIPROCESSING_INLINE platform::SignalMask child_mask() {
    const platform::SignalMask* const mask = mask_of_principal();
    return mask ? *mask : platform::SignalMask::of_caller();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
