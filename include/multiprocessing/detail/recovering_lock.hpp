#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file recovering_lock.hpp  A lock between processes that goes on to the next taker when its holder has died.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// The name of this thread, asked for once in its life.
inline platform::ThreadName this_thread() noexcept {
    struct Known {
        std::uint32_t copies;
        platform::ThreadName name;
    };
    static constinit thread_local Known known{0, 0};
    const std::uint32_t copies = count_copies();
    if (known.name == 0 || known.copies != copies) known = {copies, platform::name_of_this_thread()};
    return known.name;
}

/// Lies in the Space; all zero is a free one. One word says who holds it, written by the instruction that takes it: who
/// finds it taken can ask the system whether the holder lives. (A pthread robust mutex does not do: when a waiter is killed
/// it may lose the wake of another, 8 times in 3,000 rounds. Nor does it work between processes on every platform.)
///
/// Uncontended it costs one locked instruction each way, as a std::mutex in a threaded program.
class RecoveringLock {
public:
    using Thread = platform::ThreadName;

    /// Who holds it; 0 if nobody does. He may have died.
    Thread holder() const noexcept { return word_.load(std::memory_order_relaxed) & ~contended; }

    /// Whether the holder took it from one who had died with it.
    bool recovered() const noexcept { return recovered_.load(std::memory_order_relaxed) != 0; }

    /// Takes it for `self`, who does not hold it; false when the deadline passed. After a death: by the first who asks, or
    /// by one who waits, within 100 ms at most.
    bool acquire(const platform::Parking& parking, Thread self, const Deadline& deadline) {
        std::uint64_t free = 0;
        if (word_.compare_exchange_strong(free, self, std::memory_order_acquire, std::memory_order_relaxed))
            return true;
        return acquire_slowly(parking, self, deadline);
    }

    /// The same without waiting; asks for the holder's life if it is taken.
    bool try_acquire(Thread self) {
        std::uint64_t now = 0;
        if (word_.compare_exchange_strong(now, self, std::memory_order_acquire, std::memory_order_relaxed))
            return true;
        return take_over(now, self);
    }

    /// By the holder only.
    void release(const platform::Parking& parking) noexcept {
        if (recovered()) recovered_.store(0, std::memory_order_relaxed);
        // Sequentially consistent: a waiter reads `changes`, then finds the word taken and marked, and sleeps; so the mark
        // is seen here, and the change comes after what it read.
        if (!(word_.exchange(0, std::memory_order_seq_cst) & contended)) return;
        // Killed here: nobody is woken. Who sleeps looks again by itself.
        changes_.fetch_add(1, std::memory_order_seq_cst);
        parking.wake_one(changes_); // who takes it marks it again, for those who sleep on
    }

    /// Takes part in the order of its acquires and releases without taking it: who released it before is seen with all it
    /// did, and who acquires it afterwards sees what the caller did.
    void touch() noexcept { word_.fetch_add(0, std::memory_order_seq_cst); }

    /// How often the holder has taken it, if it may do so again. Belongs to the holder; set anew after each acquire().
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
            // Nobody let go of it. The wait may also have ended for no reason: then this costs a few microseconds.
            if (take_over(now, self)) return true;
            patience = std::min<std::chrono::nanoseconds>(2 * patience, slice);
        }
    }

    /// Takes it from the holder that `now` names, if that has died.
    bool take_over(std::uint64_t now, Thread self) {
        if (now == 0 || platform::lives(now & ~contended)) return false;
        // Of several who find it dead one succeeds: no thread is named like another that has lived.
        if (!word_.compare_exchange_strong(now, self | contended, std::memory_order_acq_rel)) return false;
        // Killed here: the next finds us dead, and says the same.
        recovered_.store(1, std::memory_order_relaxed);
        return true;
    }

    std::atomic<std::uint64_t> word_{0}; // holder's name | contended
    platform::Word changes_{0};          // what waiters sleep on
    std::atomic<std::uint32_t> recovered_{0};
};

} // namespace multiprocessing::inline v1::detail
