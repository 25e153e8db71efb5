#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_barrier.hpp  POSIX twin: membarrier, in its expedited form, which interrupts the
/// processors that run a process that has joined (0.5 us); the other form waits for 8 ms.

#include <multiprocessing/detail/config.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

inline bool has_process_barrier() noexcept {
    const long commands = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}

inline bool join_process_barrier() noexcept {
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

inline bool process_barrier() noexcept {
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

} // namespace multiprocessing::inline v1::detail::platform
