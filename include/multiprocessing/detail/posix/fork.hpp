#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fork.hpp  POSIX twin: fork, and clone with CLONE_PARENT.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
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

inline std::optional<int> fork_sibling(int& pid_place) {
    // The flags that fork() of glibc passes, plus CLONE_PARENT, and the pid as soon as there is
    // one. Without the address of the thread id, a recursive mutex of the child has the wrong
    // owner; without the robust list, a robust one that dies with it hangs. The old clone, as
    // clone3 is refused by the seccomp filters of containers.
    int* tid_address = nullptr;
    void* robust_list = nullptr;
    std::size_t robust_size = 0;
    if (::prctl(PR_GET_TID_ADDRESS, &tid_address) != 0 || !tid_address) return std::nullopt;
    if (::syscall(SYS_get_robust_list, 0, &robust_list, &robust_size) != 0) return std::nullopt;
    const unsigned long flags =
        CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
    const long pid = ::syscall(SYS_clone, flags, nullptr, &pid_place, tid_address, 0UL);
#else
    const long pid = ::syscall(SYS_clone, flags, nullptr, &pid_place, 0UL, tid_address);
#endif
    if (pid < 0 && (errno == EAGAIN || errno == ENOMEM))
        throw_last_error("clone (limits: `ulimit -u`, pids.max of the control group, memory)");
    if (pid < 0) return std::nullopt;
    if (pid == 0) ::syscall(SYS_set_robust_list, robust_list, robust_size);
    return static_cast<int>(pid);
}

/// Threads that watch children where the system has no pidfds (WatchedChild): they hold no lock
/// while they wait. With the pid in its upper half, as a forked child has none of them.
inline std::atomic<std::uint64_t> watching_threads{0};

inline std::uint64_t watching_threads_of_this_process() noexcept {
    const std::uint64_t here = static_cast<std::uint64_t>(::getpid()) << 32;
    const std::uint64_t now = watching_threads.load(std::memory_order_relaxed);
    return now >> 32 == here >> 32 ? now : here;
}
inline void count_watching_threads(int change) noexcept {
    std::uint64_t before = watching_threads.load(std::memory_order_relaxed);
    std::uint64_t after;
    do {
        after = watching_threads_of_this_process() + static_cast<std::uint64_t>(std::int64_t{change});
    } while (!watching_threads.compare_exchange_weak(before, after, std::memory_order_relaxed));
}

inline std::optional<int> foreign_threads(int own) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    if (__libc_single_threaded) return 0;
#endif
    struct stat tasks;
    // A directory has a link for itself, one in its parent, and one per thread: 0.6 us, against 4
    // to read a status.
    if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink < 3) return std::nullopt;
    return (std::max)(0, static_cast<int>(tasks.st_nlink) - 3 - own -
                             static_cast<int>(watching_threads_of_this_process() & 0xffff'ffff));
}

} // namespace multiprocessing::inline v1::detail::platform
