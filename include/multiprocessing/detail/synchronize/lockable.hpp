#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lockable.hpp  The ways to acquire and release a lock: Python's and the standard library's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <concepts>

namespace multiprocessing::inline v1::detail {

/// Base of a Derived that has `bool acquire_until(const Deadline&) const` and `void release()
/// const`. It makes Derived TimedLockable: `std::scoped_lock guard{lock}` is Python's `with lock:`.
template <class Derived>
class Lockable {
public:
    /// Acquires it, and waits as long as that takes. Returns true. Python: `acquire()`.
    bool acquire() const { return obtain(Deadline{}); }
    /// Acquires it, and waits at most `timeout`; returns false after that. Python:
    /// `acquire(timeout=...)`.
    bool acquire(Timeout timeout) const { return obtain(Deadline::after(timeout)); }
    /// Acquires it; if `block`, which is exactly a `bool`, is false, only where that needs no
    /// waiting, and else returns false. Python: `acquire(block, timeout)`.
    template <std::same_as<bool> Block>
    bool acquire(Block block, Timeout timeout = no_timeout) const {
        return block ? acquire(timeout) : try_lock();
    }

    void lock() const { obtain(Deadline{}); }
    bool try_lock() const { return obtain(Deadline::after(std::chrono::nanoseconds{0})); }
    template <class Rep, class Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& span) const {
        return acquire(Timeout{span});
    }
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& time) const {
        // The difference of two instants may be more than a duration of theirs can hold.
        using Seconds = std::chrono::duration<double>;
        const auto now = Clock::now();
        const double left = Seconds(time.time_since_epoch()).count() - Seconds(now.time_since_epoch()).count();
        if (!(left > 0)) return try_lock();
        constexpr double century = 100.0 * 365 * 24 * 3600; // for a Timeout that is forever
        return acquire(left < century ? Timeout{time - now} : Timeout{Seconds(left)});
    }
    void unlock() const { static_cast<const Derived&>(*this).release(); }

private:
    bool obtain(const Deadline& deadline) const {
        return static_cast<const Derived&>(*this).acquire_until(deadline);
    }
};

} // namespace multiprocessing::inline v1::detail
