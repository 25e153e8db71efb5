#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file moved_from.hpp  What a handle of results says after it was moved from.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail {

[[noreturn]] MULTIPROCESSING_INLINE void throw_moved_result();

/// Returns what a handle refers to. Throws `std::logic_error` if the handle was moved from.
template <class Pointer>
auto& require_result(const Pointer& result) {
    if (!result) [[unlikely]]
        throw_moved_result();
    return *result;
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void throw_moved_result() {
    throw std::logic_error(
        "multiprocessing: this result, or iterator over results, was moved away: use the one "
        "that it was moved to");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
