#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ring.hpp  Records of any length that processes put at one end and take at the other.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking.hpp>
#include <multiprocessing/detail/patience.hpp>
#include <multiprocessing/detail/recovering_lock.hpp>
#include <multiprocessing/detail/segment_chain.hpp>
#include <multiprocessing/detail/space.hpp>
#include <multiprocessing/detail/turn.hpp>
#include <multiprocessing/timeout.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// `unheard`, of put() alone: it is done, but who has said that he sleeps at the other end does not. He may be dead.
enum class RingResult { done, unheard, timed_out, shut_down };

/// Nothing but the deadline ends a wait.
struct Never {
    bool operator()() const noexcept { return false; }
};

/// Lies in the Space; all zero is an empty one without limit. One recovering lock per end; in between, one writer and one
/// reader at a time, who share nothing but two counts.
///
/// **What a kill can do.** An end's cursor is kept twice, and the count says which of the two is valid: the one for count n
/// is at n % 2. So a record is put by one store of `produced`, when it and the cursor behind it have been written; taken
/// by one store of `consumed`, when it has been copied out. Killed before the store: nothing happened, and the next at that
/// end writes over it or takes the same record. Killed after it: it is put, or gone with who took it. There is nothing to
/// repair but memory (see SegmentChain), and the number of records can never be wrong.
class Ring {
public:
    /// Once, when it is made, by `maker`. `limit`: the most records at a time; 0 for any number. `name`: what an earlier ring
    /// of the same maker has left by end(); or 0.
    void open(Incarnation maker, std::uint64_t limit, Incarnation name = 0) noexcept {
        maker_ = maker;
        limit_ = limit;
        chain_.open(name);
    }
    /// Once, when it is made: who puts waits while so many bytes of memory, or more, hold what has not been taken.
    void limit_bytes(std::uint64_t most) noexcept { most_bytes_ = most; }
    /// Nobody uses it any more. Returns the name that its memory had; 0 if it had none.
    Incarnation end(Space& space) noexcept { return chain_.end(space); }

    std::uint64_t limit() const noexcept { return limit_; }
    /// Records in it.
    std::uint64_t size() const noexcept {
        for (std::uint64_t consumed = output_.count.load(std::memory_order_acquire);;) {
            const std::uint64_t produced = input_.count.load(std::memory_order_acquire);
            const std::uint64_t again = output_.count.load(std::memory_order_acquire);
            if (again == consumed) return produced - consumed; // both at one instant
            consumed = again;
        }
    }
    /// Records that were taken from it, in all.
    std::uint64_t taken() const noexcept { return output_.count.load(std::memory_order_acquire); }
    bool full() const noexcept { return limit_ && size() >= limit_; }
    bool is_shut_down() const noexcept { return shut_down_.load(std::memory_order_seq_cst) != 0; }

    /// For who waits elsewhere than here: what is put before this is in size(), who puts afterwards sees what the caller wrote.
    void meet_producers() noexcept { producers_.lock.touch(); }
    /// Whoever waits asks `is_over()` again.
    void stir(const platform::Parking& parking) noexcept {
        post(parking, input_.place);
        post(parking, output_.place);
    }

    /// Puts a record of `bytes`: calls `fill(std::byte*)`, which **must not** throw, under the lock. Waits while it is full, but
    /// no longer than until `is_over()`, then it has timed out; `beyond`: as if it had no limit of bytes.
    /// Throws `std::system_error` if there is no memory; then nothing was put.
    template <class Fill, class IsOver = Never>
    RingResult put(Space& space, std::uint64_t bytes, Fill&& fill, const Deadline& deadline,
                   const IsOver& is_over = {}, bool beyond = false) {
        const platform::Parking& parking = space.parking();
        {
            // Without a limit nobody holds the lock for longer than it takes to copy a record.
            Turn turn{producers_.lock, parking, is_limited() ? deadline : Deadline{}};
            if (!turn.is_mine() && ((full() && !is_shut_down()) || !turn.try_longer()))
                return is_shut_down() ? RingResult::shut_down : RingResult::timed_out;
            sweep_after_death(space);
            if (is_shut_down()) return RingResult::shut_down;
            const std::uint64_t produced = input_.count.load(std::memory_order_relaxed);
            const auto is_full = [&] {
                return (limit_ && produced - producers_.seen >= limit_) ||
                       (most_bytes_ && !beyond && is_too_much(space, produced, length_of(bytes)));
            };
            if (is_full()) {
                const RingResult room = await_room(parking, is_full, deadline, is_over);
                if (room != RingResult::done) return room;
            }
            write(space, produced, bytes, fill);
        }
        return post_if_waited(parking, input_.place) ? RingResult::done : RingResult::unheard;
    }

    /// Takes a record: calls `read(std::span<const std::byte>)` under the lock; if that throws the record stays. Waits while it
    /// is empty. What was put before a shutdown is taken first.
    template <class Read>
    RingResult take(Space& space, Read read, const Deadline& deadline) {
        Taking taking;
        const RingResult result = begin_take(space, taking, deadline);
        if (result != RingResult::done) return result;
        read(taking.bytes());
        taking.commit();
        return result;
    }

    class Taking;

    /// The same in two steps: the record is in `taking`, which is an empty one before. Waits no longer than until `is_over()`,
    /// nor longer than `most_idle` slices in which nobody put anything.
    template <class IsOver = Never>
    RingResult begin_take(Space& space, Taking& taking, const Deadline& deadline, const IsOver& is_over = {},
                          int most_idle = any_number) {
        Turn turn{consumers_.lock, space.parking(), deadline};
        if (!turn.is_mine() && ((size() == 0 && !is_shut_down()) || !turn.try_longer()))
            return is_shut_down() && size() == 0 ? RingResult::shut_down : RingResult::timed_out;
        const std::uint64_t consumed = output_.count.load(std::memory_order_relaxed);
        if (consumers_.seen == consumed) {
            const RingResult record = await_record(space, consumed, deadline, is_over, most_idle);
            if (record != RingResult::done) return record;
        }
        taking.begin(*this, space, std::move(turn), consumed);
        return RingResult::done;
    }

    /// From now on nothing more is put.
    void shut_down(const platform::Parking& parking) noexcept {
        shut_down_.store(1, std::memory_order_seq_cst);
        // Killed here, or before the next: who waits looks again within a slice.
        stir(parking);
    }

    /// One of the records that were put has been dealt with. False if all have been.
    bool task_done(const platform::Parking& parking) noexcept {
        std::uint64_t done = done_.load(std::memory_order_relaxed);
        do {
            if (done >= input_.count.load(std::memory_order_acquire)) return false;
        } while (!done_.compare_exchange_weak(done, done + 1, std::memory_order_seq_cst));
        if (all_done()) post(parking, all_done_);
        return true;
    }

    /// Waits until all have been; false when the deadline passed.
    bool join(const platform::Parking& parking, const Deadline& deadline) {
        return wait(parking, all_done_, deadline, [this] { return all_done(); });
    }

private:
    // Instead of a size: go on in the next segment; or at the beginning of this one.
    static constexpr std::uint64_t jump = ~std::uint64_t{0};
    static constexpr std::uint64_t rewind = jump - 1;
    static constexpr std::uint64_t size_bytes = sizeof(std::uint64_t);

    /// Where the next record is; `segment` 0: nowhere yet.
    struct Cursor {
        Position segment;
        std::uint64_t offset;
    };

    /// What the holder of an end's lock alone uses. On a cache line of its own, as are the others.
    struct alignas(64) End {
        RecoveringLock lock;
        /// The other end's count, when it was last looked at: not to touch its line each time.
        std::uint64_t seen = 0;
        std::array<Cursor, 2> at{};
        Patience patience; // of the taking end
    };

    /// What an end publishes, and where the other waits for that.
    struct alignas(64) Published {
        std::atomic<std::uint64_t> count{0};
        ParkingPlace place;
    };

public:
    /// A record that is being taken, by who holds the lock of the taking end. If it is not committed, it stays.
    class Taking {
    public:
        /// Where it lies, until it is committed.
        std::span<const std::byte> bytes() const {
            return {&space_->at<std::byte>(at_.segment + at_.offset + size_bytes),
                    static_cast<std::size_t>(size_at(*space_, at_))};
        }

        explicit operator bool() const noexcept { return turn_.is_mine(); }

        /// It is taken, and nobody else will have it.
        void commit() {
            ring_->consume(*space_, consumed_, at_, moves_);
            turn_.end();
            if (ring_->is_limited()) post_if_waited(space_->parking(), ring_->output_.place);
        }

    private:
        friend Ring;

        void begin(Ring& ring, Space& space, Turn&& turn, std::uint64_t consumed) {
            ring_ = &ring;
            space_ = &space;
            consumed_ = consumed;
            moves_ = ring.find(space, consumed, at_);
            turn_ = std::move(turn);
        }

        Ring* ring_ = nullptr;
        Space* space_ = nullptr;
        std::uint64_t consumed_ = 0;
        Cursor at_{};
        bool moves_ = false;
        Turn turn_;
    };

private:
    bool is_limited() const noexcept { return limit_ != 0 || most_bytes_ != 0; }

    static constexpr std::uint64_t length_of(std::uint64_t bytes) {
        return size_bytes + (bytes + size_bytes - 1) / size_bytes * size_bytes;
    }
    static std::uint64_t& size_at(Space& space, const Cursor& at) {
        return space.at<std::uint64_t>(at.segment + at.offset);
    }

    /// How far records may be written in the segment of `at`. Room for a jump always stays.
    std::uint64_t end_of(Space& space, const Cursor& at) {
        if (marker_.segment == at.segment) {
            if (output_.count.load(std::memory_order_acquire) <= marker_.count) return marker_.offset;
            marker_.segment = 0; // it was read
        }
        return space.at<Segment>(at.segment).bytes - size_bytes;
    }

    /// Where a record of `length` is to be written; nothing of that is published yet.
    Cursor place_for(Space& space, std::uint64_t produced, std::uint64_t length) {
        const Cursor at = producers_.at[produced % 2];
        if (at.segment && at.offset + length <= end_of(space, at)) return at;
        const std::uint64_t consumed = output_.count.load(std::memory_order_acquire);
        Cursor next{at.segment, SegmentChain::first_record};
        // Where all was taken it begins anew in the same segment, which is the warmest memory there is. The next record is
        // found by the marker, so nothing may be written over that until it has been read.
        if (at.segment && consumed == produced && next.offset + length <= at.offset) {
            // Killed before it is complete: it is no marker, and nobody has begun anew. Any older one was read long ago.
            marker_.segment = 0;
            in_this_order();
            marker_.offset = at.offset;
            marker_.count = produced;
            in_this_order();
            marker_.segment = at.segment;
            size_at(space, at) = rewind;
        } else {
            next.segment = chain_.extend(space, maker_, at.segment, produced, length + size_bytes, consumed);
            // At an unread marker it has to stay; who comes there a second time takes it for a jump.
            // (One whose record was never put was left by a writer that died: nobody looks for it.)
            const bool at_marker =
                marker_.segment == at.segment && marker_.offset == at.offset && marker_.count != produced;
            if (at.segment && !at_marker) size_at(space, at) = jump;
        }
        return next;
    }

    template <class Fill>
    void write(Space& space, std::uint64_t produced, std::uint64_t bytes, Fill& fill) {
        const std::uint64_t length = length_of(bytes);
        Cursor at = place_for(space, produced, length);
        chain_.touch_content();
        size_at(space, at) = bytes;
        fill(&space.at<std::byte>(at.segment + at.offset + size_bytes));
        at.offset += length;
        producers_.at[(produced + 1) % 2] = at;
        // Release: who sees the count sees the record, and the next at this end the cursor.
        input_.count.store(produced + 1, std::memory_order_release);
    }

    /// Where the next record is: sets `at` to that, and to whether it is in another place than behind the last one.
    bool find(Space& space, std::uint64_t consumed, Cursor& at) {
        at = consumers_.at[consumed % 2];
        if (!at.segment) at = {chain_.oldest(), SegmentChain::first_record};
        const std::uint64_t bytes = size_at(space, at);
        if (bytes < rewind) return false;
        const bool here = bytes == rewind && consumed == marker_.count;
        at = {here ? at.segment : space.at<Segment>(at.segment).next, SegmentChain::first_record};
        return true;
    }

    /// It was copied out of `at`.
    void consume(Space& space, std::uint64_t consumed, Cursor at, bool moves) {
        at.offset += length_of(size_at(space, at));
        consumers_.at[(consumed + 1) % 2] = at;
        // Release: who sees the count may write over the record.
        output_.count.store(consumed + 1, std::memory_order_release);
        if ((moves || consumed + 1 == consumers_.seen) && chain_.is_long()) trim(space, consumed + 1);
    }

    /// Memory is the putting end's affair; but it may be that nobody puts any more.
    void trim(Space& space, std::uint64_t consumed) {
        const Turn turn{producers_.lock, space.parking(), Deadline::passed_long_ago()};
        if (!turn.is_mine()) return; // then whoever puts does it
        sweep_after_death(space);
        const std::uint64_t produced = input_.count.load(std::memory_order_relaxed);
        const Position tail = producers_.at[produced % 2].segment;
        chain_.trim(space, tail, consumed);
        if (produced == consumed) chain_.discard_content(space, tail);
    }

    /// By the holder of the putting end.
    void sweep_after_death(Space& space) {
        if (!producers_.lock.recovered()) return;
        chain_.sweep(space, producers_.at[input_.count.load(std::memory_order_relaxed) % 2].segment);
    }

    /// By the holder of the putting end: whether another segment is needed for a record of `length`, and those in use hold
    /// too much that has not been taken.
    bool is_too_much(Space& space, std::uint64_t produced, std::uint64_t length) {
        const Cursor at = producers_.at[produced % 2];
        if (!at.segment || producers_.seen == produced || at.offset + length <= end_of(space, at)) return false;
        return chain_.unread_bytes(space, at.segment, producers_.seen) >= most_bytes_;
    }

    /// By the holder of the putting end: until there is room.
    template <class IsFull, class IsOver>
    RingResult await_room(const platform::Parking& parking, const IsFull& is_full, const Deadline& deadline,
                          const IsOver& is_over) {
        const auto ready = [&] {
            producers_.seen = output_.count.load(std::memory_order_acquire);
            return !is_full() || is_shut_down() || is_over();
        };
        if (!wait(parking, output_.place, deadline, ready, [&] { consumers_.lock.touch(); }))
            return RingResult::timed_out;
        if (is_shut_down()) return RingResult::shut_down;
        return is_full() ? RingResult::timed_out : RingResult::done;
    }

    /// By the holder of the taking end: until there is a record.
    template <class IsOver>
    RingResult await_record(Space& space, std::uint64_t consumed, const Deadline& deadline,
                            const IsOver& is_over, int most_idle) {
        const auto has_record = [&] {
            consumers_.seen = input_.count.load(std::memory_order_acquire);
            return consumers_.seen != consumed;
        };
        const auto ready = [&] { return has_record() || is_shut_down() || is_over(); };
        const auto came = [&] { return has_record() ? consumers_.seen - consumed : 0; };
        if (consumers_.patience.catches_up(input_.place, came)) return RingResult::done;
        const auto touch = [&] { producers_.lock.touch(); };
        if (!wait(space.parking(), input_.place, deadline, ready, touch, most_idle))
            return RingResult::timed_out;
        if (has_record()) return RingResult::done;
        if (!is_shut_down()) return RingResult::timed_out;
        // Who was putting while it was shut down has finished when the lock has been ours.
        {
            const Turn turn{producers_.lock, space.parking(), Deadline{}};
            sweep_after_death(space);
        }
        return has_record() ? RingResult::done : RingResult::shut_down;
    }

    bool all_done() const noexcept {
        const std::uint64_t done = done_.load(std::memory_order_seq_cst);
        return done == input_.count.load(std::memory_order_seq_cst);
    }

    /// Where the last rewind is written, and how many records came before.
    struct Marker {
        Position segment;
        std::uint64_t offset;
        std::uint64_t count;
    };

    End producers_;
    Marker marker_{}; // of the putting end
    Published input_; // by producers, for consumers
    End consumers_;
    Published output_;               // by consumers, for producers
    alignas(64) SegmentChain chain_; // of the putting end
    // Read at each record by both, and hardly ever written. A line of these together with one that an end writes at each
    // record made a message cost 75 ns instead of 22.
    alignas(64) std::uint64_t limit_ = 0;
    std::uint64_t most_bytes_ = 0;
    Incarnation maker_ = 0;
    std::atomic<std::uint32_t> shut_down_{0};
    alignas(64) std::atomic<std::uint64_t> done_{0};
    ParkingPlace all_done_;
};

} // namespace multiprocessing::inline v1::detail
