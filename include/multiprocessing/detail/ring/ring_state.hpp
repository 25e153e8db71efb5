#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ring_state.hpp  What a ring has in shared memory, what may be asked of it, and how its
/// memory is repaired and given back.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/ring/ends.hpp>
#include <multiprocessing/detail/ring/record_store.hpp>
#include <multiprocessing/detail/ring/unfinished_count.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/space.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// `unheard`, of put() alone: the record is put, but no sleeper at the other end was woken, though
/// one has said that it sleeps. It may be dead.
enum class RingResult { done, unheard, timed_out, shut_down };

/// Lies in the Space; all zero is an empty one without limit. One recovering lock per end; in
/// between, one writer and one reader at a time, which share nothing but two counts; and of a large
/// record, how much of it is there (see Draft).
///
/// **What a kill can do.** An end's cursor is kept twice, and the count says which of the two is
/// valid: the one for count n is at n % 2. So a record is put by one store of `produced`, when it
/// and the cursor behind it have been written; taken by one store of `consumed`, when it has been
/// copied out. Killed before the store: nothing happened, and the next at that end writes over it
/// or takes the same record. Killed after it: it is put, or gone with the consumer. There is
/// nothing to repair but memory (see SegmentChain), and the number of records can never be wrong.
class RingState {
public:
    /// Called once, when the ring is made, by `maker`. `limit`: the most records at a time; 0 for
    /// any number. `name`: what an earlier ring of the same maker has left by end(); or 0.
    void open(Incarnation maker, std::uint64_t limit, Incarnation name = 0) noexcept {
        limit_ = limit;
        store_.open(maker, name);
    }
    /// Called once, when the ring is made: a producer waits while `most` bytes of memory, or more,
    /// hold what has not been taken.
    void limit_bytes(std::uint64_t most) noexcept { most_bytes_ = most; }

    /// Called when no process uses the ring any more. Returns the name that its memory had; 0 if it
    /// had none.
    Incarnation end(Space& space) noexcept {
        // If no process has died in there since the last sweep, all of its memory is in the chain.
        const bool is_whole = producers_.lock.holder() == 0;
        return store_.end(space, is_whole);
    }

    std::uint64_t limit() const noexcept { return limit_; }

    /// Returns the number of records in it.
    std::uint64_t size() const noexcept {
        for (std::uint64_t consumed = output_.count.load(std::memory_order_acquire);;) {
            const std::uint64_t produced = input_.count.load(std::memory_order_acquire);
            const std::uint64_t again = output_.count.load(std::memory_order_acquire);
            if (again == consumed) return produced - consumed; // both at one instant
            consumed = again;
        }
    }
    /// Returns the number of records that were ever taken from it.
    std::uint64_t taken() const noexcept { return output_.count.load(std::memory_order_acquire); }
    bool full() const noexcept { return limit_ && size() >= limit_; }
    bool is_shut_down() const noexcept { return shut_down_.load(std::memory_order_seq_cst) != 0; }

    /// Ends the ring: from now on nothing more is put.
    void shut_down(const platform::Parking& parking) noexcept {
        shut_down_.store(1, std::memory_order_seq_cst);
        // Killed here, or before the next: a waiter looks again within a slice.
        stir(parking);
    }

    /// Makes every waiter ask its `is_over()` again.
    void stir(const platform::Parking& parking) noexcept {
        post(parking, input_.place);
        post(parking, output_.place);
    }

    /// Orders a waiter that waits elsewhere against producers: what was put before this call is in
    /// size(), and a later producer sees what the caller wrote.
    void meet_producers() noexcept { producers_.lock.touch(); }

    /// Notes that a consumer has finished one of the records. Returns false if all were finished.
    bool task_done(const platform::Parking& parking) noexcept {
        return unfinished_.finish_one(parking, input_.count);
    }

    /// Waits until all records are finished; returns false when the deadline passed.
    bool join(const platform::Parking& parking, const Deadline& deadline) {
        return unfinished_.join(parking, input_.count, deadline);
    }

protected:
    bool is_limited() const noexcept { return limit_ != 0 || most_bytes_ != 0; }

    // ---- by the holder of the taking end ----

    /// Returns whether record number `consumed` is there.
    bool has_record(std::uint64_t consumed) {
        consumers_.seen = input_.count.load(std::memory_order_acquire);
        return consumers_.seen != consumed;
    }

    /// Waits for a process that was putting when the ring was shut down: it has finished when the
    /// lock has been ours. It may be stopped there, which the deadline ends.
    __attribute__((noinline)) RingResult after_shutdown(Space& space, std::uint64_t consumed,
                                                        const Deadline& deadline) {
        {
            RecoveringLockGuard turn{producers_.lock, space.parking(), deadline};
            if (!turn.is_mine() && !turn.try_longer())
                return has_record(consumed) ? RingResult::done : RingResult::timed_out;
            sweep_after_death(space);
        }
        return has_record(consumed) ? RingResult::done : RingResult::shut_down;
    }

    /// Gives back memory in place of the putting end, as no process may put any more.
    void trim(Space& space, std::uint64_t consumed);

    // ---- by the holder of the putting end ----

    /// Finds what a dead holder before this one had in hand.
    void sweep_after_death(Space& space) {
        if (!producers_.lock.recovered()) return;
        input_.draft.drop(); // before its memory may be another's
        // Killed here: the next holder finds us dead, and sweeps as well.
        store_.sweep(space, producers_.at[input_.count.load(std::memory_order_relaxed) % 2].segment);
    }

    /// Returns whether another segment is needed for a record of `length`, and those in use hold
    /// too much that has not been taken.
    bool is_too_much(Space& space, std::uint64_t produced, std::uint64_t length) {
        const RingCursor at = producers_.at[produced % 2];
        if (!at.segment || producers_.seen == produced || store_.fits(space, at, length, output_.count))
            return false;
        return store_.unread_bytes(space, at.segment, producers_.seen) >= most_bytes_;
    }

    RingEnd producers_;
    RingCount input_; // by producers, for consumers
    RingEnd consumers_;
    RingCount output_;  // by consumers, for producers
    RecordStore store_; // of the putting end
    // Read at each record by both, and hardly ever written. A line of these together with one that
    // an end writes at each record made a message cost 75 ns instead of 22.
    alignas(64) std::uint64_t limit_ = 0;
    std::uint64_t most_bytes_ = 0;
    std::atomic<std::uint32_t> shut_down_{0};
    UnfinishedCount unfinished_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void RingState::trim(Space& space, std::uint64_t consumed) {
    const RecoveringLockGuard turn{producers_.lock, space.parking(), Deadline::passed_long_ago()};
    if (!turn.is_mine()) return; // then the next producer does it
    sweep_after_death(space);
    const std::uint64_t produced = input_.count.load(std::memory_order_relaxed);
    store_.trim(space, producers_.at[produced % 2].segment, consumed, produced == consumed);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
