#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file signals.hpp  POSIX twin: thread masks.

#include <multiprocessing/detail/config.hpp>

#include <csignal>
#include <string>

#include <pthread.h>

namespace multiprocessing::inline v1::detail::platform {

class SignalMask {
public:
    static SignalMask of_caller();
    void apply() const { ::pthread_sigmask(SIG_SETMASK, &set_, nullptr); }
    const sigset_t& native() const noexcept { return set_; }

private:
    SignalMask() = default;
    sigset_t set_{}; // the C library fills in a part of it
};

class [[nodiscard("an unnamed guard ends at once")]] AllSignalsBlocked {
public:
    AllSignalsBlocked();
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
    ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

class [[nodiscard("an unnamed guard ends at once")]] BrokenPipeSignalHeld {
public:
    BrokenPipeSignalHeld();
    BrokenPipeSignalHeld(const BrokenPipeSignalHeld&) = delete;
    BrokenPipeSignalHeld& operator=(const BrokenPipeSignalHeld&) = delete;
    ~BrokenPipeSignalHeld();

private:
    sigset_t pipe_;
    sigset_t before_;
    bool was_pending_;
};

MULTIPROCESSING_INLINE bool ignore_interrupt(bool ignore);

MULTIPROCESSING_INLINE std::string signal_name(int number);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cerrno>
#include <cstring>
#include <ctime>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE SignalMask SignalMask::of_caller() {
    SignalMask mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask.set_);
    return mask;
}

MULTIPROCESSING_INLINE AllSignalsBlocked::AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

MULTIPROCESSING_INLINE BrokenPipeSignalHeld::BrokenPipeSignalHeld() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
}

MULTIPROCESSING_INLINE BrokenPipeSignalHeld::~BrokenPipeSignalHeld() {
    const int error = errno; // of the write that is guarded
    if (!was_pending_) {     // a SIGPIPE that is pending now came from our write, to this thread
        const timespec at_once{0, 0};
        while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {}
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
}

MULTIPROCESSING_INLINE bool ignore_interrupt(bool ignore) {
    return std::signal(SIGINT, ignore ? SIG_IGN : SIG_DFL) == SIG_IGN;
}

MULTIPROCESSING_INLINE std::string signal_name(int number) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    if (const char* name = ::sigabbrev_np(number)) return std::string("SIG") + name;
#endif
    return "signal " + std::to_string(number);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
