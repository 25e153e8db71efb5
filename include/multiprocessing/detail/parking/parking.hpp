#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parking.hpp  Waiting for another process on a word of the Space, and waking the waiters.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace multiprocessing::inline v1::detail {

/// Longest sleep without looking again: the process that should wake us may have been killed
/// before.
inline constexpr std::chrono::milliseconds slice{100};
/// The slice of a waiter that has looked this often in vain: a look costs 50 us of CPU time, 0.05 %
/// at the usual slice.
inline constexpr std::chrono::milliseconds long_slice{400};
inline constexpr int slices_before_long_ones = 10;
inline constexpr int any_number = (std::numeric_limits<int>::max)();

/// A place to wait at. All zero is a valid one; lives in the Space, and is not copied.
///
/// What is waited for stands elsewhere: the word only says "look again". A wake-up is meant for all
/// waiters at the place; where one of several is to be woken, each has a place of its own (a
/// wake-up meant for one waiter is lost when that waiter is killed).
struct ParkingPlace {
    platform::Word changes{0};  ///< Counts posts.
    platform::Word sleepers{0}; ///< A flag, not a count: what a dead sleeper leaves is one spare wake.
    platform::Word poster{0};   ///< Processor that the last post came from, plus 1.
};

/// Returns how long to spin before a sleep: 20 us, about what a wake across cores costs, so that at
/// worst twice the best choice is paid. Never on a single processor, nor where a quota grants no
/// more. (An affinity to one does not count: a waiter spins for a peer on another.) Two running
/// cores exchange a word in 0.06 us; sleeping takes 45.
inline std::chrono::microseconds spin_budget() {
    static constinit std::atomic<int> budget{-1}; // not asked yet; no guard, see lazy.hpp
    int microseconds = budget.load(std::memory_order_relaxed);
    if (microseconds < 0) {
        microseconds = platform::quota_processors() > 1 ? 20 : 0;
        budget.store(microseconds, std::memory_order_relaxed);
    }
    return std::chrono::microseconds{microseconds};
}

/// Says that something changed. The change itself has been stored before. Costs one locked
/// instruction when nobody sleeps. Not to be called while holding a lock.
inline void post(const platform::Parking& parking, ParkingPlace& place) noexcept {
    place.poster.store(platform::current_processor() + 1, std::memory_order_relaxed);
    // Sequentially consistent, as is the sleeper's flag: either the sleeper sees this change, or we
    // see its flag.
    place.changes.fetch_add(1, std::memory_order_seq_cst);
    if (place.sleepers.load(std::memory_order_seq_cst) == 0) return;
    // Killed here: the flag is down and nobody was woken; the sleepers look again within a slice.
    if (place.sleepers.exchange(0, std::memory_order_relaxed)) parking.wake_all(place.changes);
}

/// Does what post() does, for words that are changed under a lock, and cheaper: it costs no locked
/// instruction when nobody sleeps. Returns false if a waiter has said that it sleeps here and none
/// does: it has just woken, is about to sleep, or is dead. `touch` of the waiter, see wait(), and
/// the caller's step between the change and this call **must** be read-modify-writes of one word,
/// so that either the waiter sees the change or this call its flag.
inline bool post_if_waited(const platform::Parking& parking, ParkingPlace& place) noexcept {
    if (const std::uint32_t here = platform::current_processor() + 1;
        place.poster.load(std::memory_order_relaxed) != here) {
        place.poster.store(here, std::memory_order_relaxed);
    }
    if (place.sleepers.load(std::memory_order_seq_cst) == 0) return true;
    if (!place.sleepers.exchange(0, std::memory_order_relaxed)) return true;
    // Killed here, or before the next: as in post().
    place.changes.fetch_add(1, std::memory_order_seq_cst);
    return parking.wake_all(place.changes);
}

/// Waits until `ready()` or the deadline; returns whether it was ready. `ready` is called often and
/// must be cheap.
///
/// Spins only when the last post came from another core: against a peer on the same core a spin of
/// 20 us costs 45, as it keeps the peer from running. Nor again after a slice in which nobody
/// posted, or an idle pool would spin for most of the CPU time that it takes.
///
/// `touch()` is called before the last look at `ready()` ahead of a sleep; see post_if_waited().
/// After `most_idle` slices in a row in which nobody posted it ends as if the deadline had passed.
template <class Ready, class Touch>
bool wait(const platform::Parking& parking, ParkingPlace& place, const Deadline& deadline, Ready ready,
          Touch touch, int most_idle = any_number) {
    using Clock = std::chrono::steady_clock;
    int idle = 0; // slices in which nobody posted
    for (bool stirred = true;;) {
        if (ready()) return true;
        if (idle >= most_idle || deadline.passed()) return false;
        const std::uint32_t poster = place.poster.load(std::memory_order_relaxed);
        if (stirred && poster != 0 && poster != platform::current_processor() + 1 &&
            spin_budget().count() > 0) {
            // Polling at every pause takes the line away from the poster: after the first
            // microsecond, at every 40th.
            const auto begin = Clock::now();
            for (int pauses = 1;;) {
                for (int i = 0; i < pauses; ++i) platform::pause();
                if (ready()) return true;
                const auto spent = Clock::now() - begin;
                if (spent > spin_budget()) break;
                if (spent > std::chrono::microseconds{1}) pauses = 40;
            }
        }
        const std::uint32_t seen = place.changes.load(std::memory_order_acquire);
        place.sleepers.store(1, std::memory_order_seq_cst);
        touch();
        if (ready()) return true; // the flag stays up: one spare wake
        parking.sleep(place.changes, seen, deadline.left(idle < slices_before_long_ones ? slice : long_slice));
        stirred = place.changes.load(std::memory_order_relaxed) != seen;
        idle = stirred ? 0 : idle + 1;
    }
}

/// Waits as above, for posts by post().
template <class Ready>
bool wait(const platform::Parking& parking, ParkingPlace& place, const Deadline& deadline, Ready ready) {
    return wait(parking, place, deadline, ready, [] {});
}

} // namespace multiprocessing::inline v1::detail
