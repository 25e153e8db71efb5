#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_watch.hpp  POSIX twin: a pidfd.

#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <optional>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

inline std::optional<Handle> watch_process(int pid) {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); // close-on-exec by itself
    if (descriptor >= 0) return Handle{descriptor};
    if (errno == ESRCH || (::kill(pid, 0) != 0 && errno == ESRCH)) return std::nullopt;
    return Handle{}; // an old kernel, a filter that refuses, no descriptor left
}

} // namespace multiprocessing::inline v1::detail::platform
