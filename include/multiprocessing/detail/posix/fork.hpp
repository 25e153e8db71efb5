#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fork.hpp  POSIX twin: fork, and clone with CLONE_PARENT.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <optional>

#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace multiprocessing::inline v1::detail::platform {

inline constexpr bool can_fork = true;

inline int fork_process() {
    const pid_t pid = ::fork();
    if (pid < 0) throw_last_error("fork (limits: `ulimit -u`, pids.max of the control group, memory)");
    return pid;
}

inline std::optional<int> fork_sibling() {
    // The flags that fork() of glibc passes, plus CLONE_PARENT. Without the address of the thread id, a recursive
    // mutex of the child has the wrong owner; without the robust list, a robust one that dies with it hangs.
    // The old clone, as clone3 is refused by the seccomp filters of containers.
    int* tid_address = nullptr;
    void* robust_list = nullptr;
    std::size_t robust_size = 0;
    if (::prctl(PR_GET_TID_ADDRESS, &tid_address) != 0 || !tid_address) return std::nullopt;
    if (::syscall(SYS_get_robust_list, 0, &robust_list, &robust_size) != 0) return std::nullopt;
    const unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
    const long pid = ::syscall(SYS_clone, flags, nullptr, nullptr, tid_address, 0UL);
#else
    const long pid = ::syscall(SYS_clone, flags, nullptr, nullptr, 0UL, tid_address);
#endif
    if (pid < 0 && (errno == EAGAIN || errno == ENOMEM)) throw_last_error("clone");
    if (pid < 0) return std::nullopt;
    if (pid == 0) ::syscall(SYS_set_robust_list, robust_list, robust_size);
    return static_cast<int>(pid);
}

inline int foreign_threads(int own) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    if (__libc_single_threaded) return 0;
#endif
    struct stat tasks;
    // A folder has a link for itself, one in its parent, and one per thread: 0.6 us, against 4 to read a status.
    if (::stat("/proc/self/task", &tasks) != 0) return 0;
    return (std::max)(0, static_cast<int>(tasks.st_nlink) - 3 - own);
}

} // namespace multiprocessing::inline v1::detail::platform
