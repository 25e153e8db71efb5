#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_barrier.hpp  Win32 twin: FlushProcessWriteBuffers reaches the calling process
/// alone, so there is none.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline bool has_process_barrier() noexcept { return false; }
inline bool join_process_barrier() noexcept { return false; }
inline bool process_barrier() noexcept { return false; }

} // namespace multiprocessing::inline v1::detail::platform
