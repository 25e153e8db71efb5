#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lockable.hpp  The many ways to take something that can be held: Python's and the standard
/// library's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <concepts>

namespace multiprocessing::inline v1::detail {

/// Base of whatever has `bool acquire_until(const Deadline&) const` and `void release() const`. It
/// makes it TimedLockable: `std::scoped_lock guard{lock}` is Python's `with lock:`.
template <class Derived>
class Lockable {
public:
    /// Waits until it is taken, as long as need be. Python: `acquire()`.
    bool acquire() const { return obtain(Deadline{}); }
    /// The same for at most `timeout`; false when that is over. Python: `acquire(timeout=...)`.
    bool acquire(Timeout timeout) const { return obtain(Deadline::after(timeout)); }
    /// `acquire(false)`: only if that needs no waiting. Takes exactly a `bool`. Python:
    /// `acquire(block, timeout)`.
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
        // The difference of the two may be beyond what their types hold: that of the first and the
        // last instant is.
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
