#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file recovering_lock.hpp  A lock between processes that goes on to the next taker when its
/// holder has died, and its guard.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// What this thread calls itself.
struct ThisThread {
    std::uint32_t copy_of_complete =
        0;                  ///< count_copies() for which `name` is complete, and stays; 0: for none.
    std::uint32_t copy = 0; ///< For which it was asked for last.
    platform::ThreadName name = 0;
    std::uint32_t held = 0;  ///< Locks that it holds by a name that is not complete.
    std::uint32_t skip = 0;  ///< Uses until the system is asked again for a complete one,
    std::uint32_t skips = 0; ///< and how many these were the last time.

    static ThisThread& get() noexcept {
        static constinit thread_local ThisThread known;
        return known;
    }

    // By a name that is not complete. Out of line, as every lock has them.
    __attribute__((noinline)) static void has_taken() noexcept { ++get().held; }
    __attribute__((noinline)) static void has_released() noexcept { --get().held; }

    /// Asks the system. Throws `std::logic_error` in another id space than the tree's.
    __attribute__((noinline)) platform::ThreadName ask() {
        const std::uint32_t now = count_copies();
        if (copy == now && name != 0) {
            if (held != 0) return name; // what it holds bears this name
            if (skip != 0) {
                --skip;
                return name;
            }
            skips = (std::min)(2 * skips + 1, 1023u);
        } else {
            held = 0; // a copy holds nothing of the other's
            skips = 0;
        }
        if (platform::are_apart(this_process().id_space.load(std::memory_order_relaxed),
                                platform::id_space())) {
            throw std::logic_error(
                "multiprocessing: this process is in another pid or time namespace than the program that its "
                "locks, queues and Pipes come from: there nobody could tell whether it lives, so it may not "
                "hold them; use what was made in this namespace, or a Listener and a Client between the two");
        }
        name = platform::name_of_this_thread();
        copy = now;
        skip = skips;
        copy_of_complete = platform::is_complete(name) ? now : 0;
        return name;
    }
};

/// Returns the name of this thread. Asked for once in its life, and in each copy that any kind of
/// fork makes; where the system did not say when the thread began, again at later uses, while it
/// holds nothing. Throws `std::logic_error` in another id space than the tree's.
inline platform::ThreadName this_thread() {
    ThisThread& known = ThisThread::get();
    return known.copy_of_complete == count_copies() ? known.name : known.ask();
}

/// Lies in the Space; all zero is a free one. One word says which thread holds it, written by the
/// instruction that takes it: a thread that finds it taken can ask the system whether the holder
/// lives. (A pthread robust mutex does not do: when a waiter is killed it may lose the wake of
/// another, 8 times in 3,000 rounds. Nor does it work between processes on every platform.)
///
/// Uncontended it costs one locked instruction each way, as a std::mutex in a threaded program.
class RecoveringLock {
public:
    using Thread = platform::ThreadName;

    /// Returns the thread that holds it, which may have died; 0 if none does.
    Thread holder() const noexcept { return word_.load(std::memory_order_relaxed) & ~contended; }

    /// Returns whether the holder took it from a thread that had died with it.
    bool recovered() const noexcept { return recovered_.load(std::memory_order_relaxed) != 0; }

    /// Acquires it for `self`, which does not hold it; returns false when the deadline passed.
    /// After a death, the first thread that asks gets it, or a waiter, within 100 ms at most.
    bool acquire(const platform::Parking& parking, Thread self, const Deadline& deadline) {
        std::uint64_t free = 0;
        if (!word_.compare_exchange_strong(free, self, std::memory_order_acquire, std::memory_order_relaxed) &&
            !acquire_slowly(parking, self, deadline))
            return false;
        if (!platform::is_complete(self)) [[unlikely]]
            ThisThread::has_taken();
        return true;
    }

    /// Acquires it without waiting; if it is held, asks whether the holder lives.
    bool try_acquire(Thread self) {
        std::uint64_t now = 0;
        if (!word_.compare_exchange_strong(now, self, std::memory_order_acquire, std::memory_order_relaxed) &&
            !take_over(now, self))
            return false;
        if (!platform::is_complete(self)) [[unlikely]]
            ThisThread::has_taken();
        return true;
    }

    /// Releases it; called by the holder only.
    void release(const platform::Parking& parking) noexcept {
        if (recovered()) recovered_.store(0, std::memory_order_relaxed);
        // Sequentially consistent: a waiter reads `changes`, then finds the word taken and marked,
        // and sleeps; so the mark is seen here, and the change comes after what it read.
        const std::uint64_t was = word_.exchange(0, std::memory_order_seq_cst);
        if (!platform::is_complete(was & ~contended)) [[unlikely]]
            ThisThread::has_released();
        if (!(was & contended)) return;
        // Killed here: nobody is woken. A sleeper looks again by itself.
        changes_.fetch_add(1, std::memory_order_seq_cst);
        parking.wake_one(changes_); // the next holder marks it again, for the other sleepers
    }

    /// Takes part in the order of its acquires and releases without taking it: the caller sees all
    /// that earlier holders did, and later holders see what the caller did.
    void touch() noexcept { word_.fetch_add(0, std::memory_order_seq_cst); }

    /// How often the holder has taken it, if it may do so again. Belongs to the holder; set again
    /// after each acquire().
    std::uint32_t depth = 0;

private:
    static constexpr std::uint64_t contended = platform::spare_bit_of_thread_name;

    bool acquire_slowly(const platform::Parking& parking, Thread self, const Deadline& deadline) {
        std::chrono::nanoseconds patience = std::chrono::milliseconds{1};
        for (bool last_look = false;;) {
            const std::uint32_t seen = changes_.load(std::memory_order_seq_cst);
            std::uint64_t now = word_.load(std::memory_order_seq_cst);
            if (now == 0) {
                // Marked, as others may sleep on: at worst that is one spare wake.
                if (word_.compare_exchange_strong(now, self | contended, std::memory_order_acquire))
                    return true;
                continue;
            }
            if (!(now & contended)) {
                if (!word_.compare_exchange_strong(now, now | contended, std::memory_order_seq_cst)) continue;
                now |= contended;
            }
            if (last_look) return take_over(now, self);
            parking.sleep(changes_, seen, deadline.left(patience));
            last_look = deadline.passed();
            if (changes_.load(std::memory_order_relaxed) != seen) continue;
            // It was not released. The sleep may have ended for no reason: then this costs a few
            // microseconds.
            if (take_over(now, self)) return true;
            patience = std::min<std::chrono::nanoseconds>(2 * patience, slice);
        }
    }

    /// Acquires it in place of the holder that `now` names, if that thread has died.
    bool take_over(std::uint64_t now, Thread self) {
        if (now == 0) return false;
        // By a name that is not complete another thread may have held it, which had our id before
        // us: it is dead.
        if ((now & ~contended) != self && platform::lives(now & ~contended)) return false;
        // Of several that find it dead one succeeds: no thread is named like another that has
        // lived.
        if (!word_.compare_exchange_strong(now, self | contended, std::memory_order_acq_rel)) return false;
        // Killed here: the next finds us dead, and says the same.
        recovered_.store(1, std::memory_order_relaxed);
        return true;
    }

    std::atomic<std::uint64_t> word_{0}; // holder's name | contended
    platform::Word changes_{0};          // what waiters sleep on
    std::atomic<std::uint32_t> recovered_{0};
};

/// Holds a lock, if it could be had in time.
class RecoveringLockGuard {
public:
    RecoveringLockGuard() noexcept = default;
    RecoveringLockGuard(RecoveringLock& lock, const platform::Parking& parking, const Deadline& deadline)
        : lock_(&lock), parking_(&parking), mine_(lock.acquire(parking, this_thread(), deadline)) {}
    RecoveringLockGuard(RecoveringLockGuard&& other) noexcept
        : lock_(other.lock_), parking_(other.parking_), mine_(std::exchange(other.mine_, false)) {}
    RecoveringLockGuard& operator=(RecoveringLockGuard&& other) noexcept {
        std::swap(lock_, other.lock_);
        std::swap(parking_, other.parking_);
        std::swap(mine_, other.mine_);
        return *this;
    }
    ~RecoveringLockGuard() { end(); }
    /// Tries once more for a while: there is something to do, the deadline was perhaps 0, and the
    /// holder only copies a record, which is there.
    bool try_longer() {
        mine_ = lock_->acquire(*parking_, this_thread(), Deadline::after(slice));
        return mine_;
    }
    void end() {
        if (std::exchange(mine_, false)) lock_->release(*parking_);
    }
    bool is_mine() const noexcept { return mine_; }

private:
    RecoveringLock* lock_ = nullptr;
    const platform::Parking* parking_ = nullptr;
    bool mine_ = false;
};

} // namespace multiprocessing::inline v1::detail
