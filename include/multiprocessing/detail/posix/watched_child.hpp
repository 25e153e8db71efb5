#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file watched_child.hpp  A child where the system has no pidfds.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <csignal>
#include <memory>
#include <mutex>
#include <optional>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Returns the end of a process from what wait4() says.
MULTIPROCESSING_INLINE Ending ending_of(int status, const rusage& used);

/// A child that is watched by a thread, as the system has no pidfds: an old kernel, a container
/// whose seccomp filter refuses them, valgrind. A pipe that the child holds would say less: its own
/// children may hold that as well, and it is closed by exec.
class WatchedChild {
public:
    explicit WatchedChild(int pid);

    /// Makes one, which its thread keeps as long as the child lives.
    static std::shared_ptr<WatchedChild> of(int pid);

    const Handle& sentinel() const noexcept { return sentinel_; }

    std::optional<Ending> ending();

    /// Sends a signal; returns false if there is no such process any more. The pid is its own, as
    /// it is waited for under the mutex.
    bool send(int signal);

private:
    void watch() noexcept;

    const int pid_;
    const Handle sentinel_;
    std::mutex mutex_;
    std::optional<Ending> ending_;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Ending ending_of(int status, const rusage& used) {
    // As in <sys/wait.h>, which is not included: programs like to call their own functions `wait`.
    const int signal = status & 0x7f;
    const auto duration = [](const timeval& time) {
        return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
    };
    return {signal ? -signal : (status >> 8) & 0xff, static_cast<std::uint64_t>(used.ru_maxrss) * 1024,
            duration(used.ru_utime), duration(used.ru_stime)};
}

MULTIPROCESSING_INLINE WatchedChild::WatchedChild(int pid) : pid_(pid), sentinel_(::eventfd(0, EFD_CLOEXEC)) {
    if (!sentinel_.valid()) throw_last_error("making the sentinel of process " + std::to_string(pid));
}

MULTIPROCESSING_INLINE std::shared_ptr<WatchedChild> WatchedChild::of(int pid) {
    auto child = std::make_shared<WatchedChild>(pid);
    const AllSignalsBlocked program_handles_signals;
    count_watching_threads(+1);
    ScopeExit no_thread{[] { count_watching_threads(-1); }};
    std::thread([child] {
        child->watch();
        count_watching_threads(-1);
    }).detach();
    no_thread.release();
    return child;
}

MULTIPROCESSING_INLINE std::optional<Ending> WatchedChild::ending() {
    std::lock_guard lock{mutex_};
    return ending_;
}

MULTIPROCESSING_INLINE bool WatchedChild::send(int signal) {
    std::lock_guard lock{mutex_};
    return !ending_ && ::kill(pid_, signal) == 0;
}

MULTIPROCESSING_INLINE void WatchedChild::watch() noexcept {
    constexpr int by_pid = 1;               // P_PID
    constexpr int to_look_at = 0x0100'0004; // WEXITED | WNOWAIT
    long looked;
    do {
        siginfo_t info{};
        looked = ::syscall(SYS_waitid, by_pid, pid_, &info, to_look_at, nullptr);
    } while (looked < 0 && errno == EINTR);
    // Where that is refused as well, the pid is free for an instant before it is known to be.
    std::unique_lock lock{mutex_, std::defer_lock};
    if (looked == 0) lock.lock();
    int status = 0;
    rusage used{};
    long got;
    while ((got = ::syscall(SYS_wait4, pid_, &status, 0, &used)) < 0 && errno == EINTR) {}
    if (!lock.owns_lock()) lock.lock();
    // Another thread may have waited for it, or SIGCHLD is ignored: then nobody knows how it ended.
    ending_ = got == pid_ ? ending_of(status, used) : Ending{};
    lock.unlock();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(sentinel_.native(), &one, sizeof one);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
