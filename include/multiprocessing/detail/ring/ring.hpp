#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ring.hpp  Records of any length that processes put at one end and take at the other.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/ring/ends.hpp>
#include <multiprocessing/detail/ring/partial_record.hpp>
#include <multiprocessing/detail/ring/record_store.hpp>
#include <multiprocessing/detail/ring/ring_state.hpp>
#include <multiprocessing/detail/space/space.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Nothing but the deadline ends a wait.
struct Never {
    bool operator()() const noexcept { return false; }
};

/// Records of any length in shared memory: putting them at one end, and taking them at the other.
/// See RingState for what lies there, and for what a kill can do.
class Ring : public RingState {
public:
    /// Puts a record of `bytes`: calls `fill(std::byte* to, from, count)` under the lock, once or
    /// for each part, which writes `count` bytes of it, from number `from` on, and **must not**
    /// throw. Waits while it is full, until the deadline or until `is_over()`: then it has timed
    /// out. `beyond`: as if it had no limit of bytes. Throws `std::system_error` if there is no
    /// memory; then nothing was put.
    template <class Fill, class IsOver = Never>
    RingResult put(Space& space, std::uint64_t bytes, Fill&& fill, const Deadline& deadline,
                   const IsOver& is_over = {}, bool beyond = false) {
        const platform::Parking& parking = space.parking();
        bool is_heard = true;
        {
            // A process may be stopped while it holds the lock: then nothing but the deadline ends
            // the wait.
            RecoveringLockGuard turn{producers_.lock, parking, deadline};
            if (!turn.is_mine() && ((full() && !is_shut_down()) || !turn.try_longer()))
                return is_shut_down() ? RingResult::shut_down : RingResult::timed_out;
            sweep_after_death(space);
            if (is_shut_down()) return RingResult::shut_down;
            const std::uint64_t produced = input_.count.load(std::memory_order_relaxed);
            const auto is_full = [&] {
                return (limit_ && produced - producers_.seen >= limit_) ||
                       (most_bytes_ && !beyond && is_too_much(space, produced, RecordStore::length_of(bytes)));
            };
            if (is_full()) {
                const RingResult room = await_room(parking, is_full, deadline, is_over);
                if (room != RingResult::done) return room;
            }
            is_heard = write(space, produced, bytes, fill);
        }
        is_heard = post_if_waited(parking, input_.place) && is_heard;
        return is_heard ? RingResult::done : RingResult::unheard;
    }

    /// Takes a record: calls `sink.begin(bytes)` under the lock, and `sink.add(std::span<const
    /// std::byte>)`, once or for each part; a part is a multiple of `sink.grain` bytes, but for the
    /// last. It may be a record in the making that is never finished: so begin() may be called
    /// again, and only the result says that there is a record. If the sink throws, the record
    /// stays. Waits while it is empty. What was put before a shutdown is taken first.
    template <class Sink>
    RingResult pop(Space& space, Sink&& sink, const Deadline& deadline) {
        RecoveringLockGuard turn{consumers_.lock, space.parking(), deadline};
        if (!turn.is_mine() && !insists(turn)) return missed();
        const std::uint64_t consumed = output_.count.load(std::memory_order_relaxed);
        for (std::uint64_t stamp = 0; consumers_.seen == consumed;) {
            const std::uint64_t given_up = std::exchange(stamp, 0);
            const auto is_drafted = [&] {
                // A consumer with a deadline follows nothing: it would copy the same again each
                // time, and be late.
                stamp = deadline.never() ? input_.draft.look(consumed).stamp : 0;
                return stamp != 0 && stamp != given_up;
            };
            const RingResult record = await_record(space, consumed, deadline, is_drafted, any_number);
            if (record == RingResult::done) break;
            if (record == RingResult::shut_down) return record;
            if (stamp == 0) return RingResult::timed_out;
            if (follow(space, turn, consumed, stamp, sink)) return RingResult::done;
        }
        RingCursor at = consumers_.at[consumed % 2];
        const bool moves = store_.find(space, at, consumed);
        const std::span<const std::byte> bytes = RecordStore::bytes_at(space, at);
        sink.begin(bytes.size());
        sink.add(bytes);
        commit(space, turn, consumed, at, moves);
        return RingResult::done;
    }

    class Taking;

    /// Takes a record in two steps: it is in `taking`, which is an empty one before. Waits until
    /// the deadline, until `is_over()`, or for `most_idle` slices in which nothing was put.
    template <class IsOver = Never>
    RingResult begin_take(Space& space, Taking& taking, const Deadline& deadline, const IsOver& is_over = {},
                          int most_idle = any_number) {
        RecoveringLockGuard turn{consumers_.lock, space.parking(), Deadline::passed_long_ago()};
        if (!turn.is_mine()) {
            // Another one of this end has it, and may be stopped there.
            const Deadline longest = most_idle == any_number ? deadline : Deadline::after(most_idle * slice);
            turn = RecoveringLockGuard{consumers_.lock, space.parking(), longest.sooner(deadline)};
            if (!turn.is_mine() && !insists(turn)) return missed();
        }
        const std::uint64_t consumed = output_.count.load(std::memory_order_relaxed);
        if (consumers_.seen == consumed) {
            const RingResult record = await_record(space, consumed, deadline, is_over, most_idle);
            if (record != RingResult::done) return record;
        }
        taking.begin(*this, space, std::move(turn), consumed);
        return RingResult::done;
    }

    /// A record that is being taken, by the holder of the lock of the taking end. If it is not
    /// committed, it stays.
    class Taking {
    public:
        /// Returns where it lies, until it is committed.
        std::span<const std::byte> bytes() const { return RecordStore::bytes_at(*space_, at_); }

        explicit operator bool() const noexcept { return turn_.is_mine(); }

        /// Takes the record: no other consumer will have it.
        void commit() { ring_->commit(*space_, turn_, consumed_, at_, moves_); }

    private:
        friend Ring;

        void begin(Ring& ring, Space& space, RecoveringLockGuard&& turn, std::uint64_t consumed) {
            ring_ = &ring;
            space_ = &space;
            consumed_ = consumed;
            at_ = ring.consumers_.at[consumed % 2];
            moves_ = ring.store_.find(space, at_, consumed);
            turn_ = std::move(turn);
        }

        Ring* ring_ = nullptr;
        Space* space_ = nullptr;
        std::uint64_t consumed_ = 0;
        RingCursor at_{};
        bool moves_ = false;
        RecoveringLockGuard turn_;
    };

private:
    /// Tries for longer, as there is something to take, to get the taking end; returns whether that
    /// did.
    bool insists(RecoveringLockGuard& turn) { return (size() > 0 || is_shut_down()) && turn.try_longer(); }
    /// Returns what has become of a consumer that does not have it.
    RingResult missed() const {
        return is_shut_down() && size() == 0 ? RingResult::shut_down : RingResult::timed_out;
    }

    /// Writes the record. Returns false if a sleeper at the other end was announced and none was
    /// woken.
    template <class Fill>
    bool write(Space& space, std::uint64_t produced, std::uint64_t bytes, Fill& fill) {
        const std::uint64_t length = RecordStore::length_of(bytes);
        RingCursor at = store_.place_for(space, producers_.at[produced % 2], produced, length, output_.count);
        std::byte* const to = RecordStore::content_at(space, at);
        bool is_heard = true;
        // Where bytes are limited, in a Pipe, records are taken in two steps, and nobody follows.
        if (bytes < Draft::least_bytes || most_bytes_ != 0) {
            RecordStore::set_head(space, at, bytes);
            fill(to, 0, static_cast<std::size_t>(bytes));
        } else {
            const std::uint64_t stamp = input_.draft.begin(produced);
            RecordStore::set_head(space, at, Draft::stamped(stamp, bytes));
            is_heard = write_in_parts(space, stamp, bytes, to, fill);
        }
        at.offset += length;
        producers_.at[(produced + 1) % 2] = at;
        // Release: a process that sees the count sees the record, and the next at this end the
        // cursor.
        input_.count.store(produced + 1, std::memory_order_release);
        return is_heard;
    }

    /// Writes a large record. Out of line: else the compiler thinks that small ones have parts, and
    /// warns.
    template <class Fill>
    __attribute__((noinline)) bool write_in_parts(Space& space, std::uint64_t stamp, std::uint64_t bytes,
                                                  std::byte* to, Fill& fill) {
        bool is_heard = true;
        for (std::uint64_t done = 0; done < bytes;) {
            const std::uint64_t part = (std::min)(Draft::part_bytes, bytes - done);
            fill(to + done, done, static_cast<std::size_t>(part));
            // Killed here, or after: a reader that follows waits, until a head with another stamp
            // shows that this is void.
            input_.draft.grow(stamp, done += part);
            producers_.lock.touch(); // see post_if_waited(); the waiter that is woken does not want the lock
            is_heard = post_if_waited(space.parking(), input_.place) && is_heard;
        }
        return is_heard;
    }

    /// Takes the record, which was copied out of `at`, and ends the turn.
    void commit(Space& space, RecoveringLockGuard& turn, std::uint64_t consumed, RingCursor at, bool moves) {
        at.offset += RecordStore::length_of(RecordStore::bytes_at(space, at).size());
        consumers_.at[(consumed + 1) % 2] = at;
        // Release: a process that sees the count may write over the record.
        output_.count.store(consumed + 1, std::memory_order_release);
        if ((moves || consumed + 1 == consumers_.seen) && store_.is_long()) trim(space, consumed + 1);
        turn.end();
        if (is_limited()) post_if_waited(space.parking(), output_.place);
    }

    /// Takes the record that is being put, part by part as it comes, in the attempt of that stamp.
    /// False if that was not to be: its writer died, or the ring was shut down.
    template <class Sink>
    __attribute__((noinline)) bool follow(Space& space, RecoveringLockGuard& turn, std::uint64_t consumed,
                                          std::uint64_t stamp, Sink& sink) {
        const Draft& draft = input_.draft;
        RingCursor at = consumers_.at[consumed % 2];
        const bool moves = store_.find(space, at, consumed);
        if (!at.segment) return false; // it was swept away
        const std::uint64_t head = RecordStore::head_at(space, at);
        // The head was read before anybody swept up here, if the draft is there still.
        if (Draft::stamp_of(head) != stamp || draft.look(consumed).stamp != stamp) return false;
        const std::uint64_t bytes = Draft::bytes_of(head);
        const std::byte* const from = RecordStore::content_at(space, at);
        std::uint64_t done = 0;
        const auto add = [&](std::uint64_t end) {
            sink.add({from + done, static_cast<std::size_t>(end - done)});
            done = end;
        };
        sink.begin(static_cast<std::size_t>(bytes));
        for (;;) {
            const Draft::Seen now = draft.look(consumed); // before the count: that ends the draft, too
            if (has_record(consumed)) break;
            if (now.stamp != stamp || now.bytes > bytes) return false;
            if (const std::uint64_t whole = now.bytes - now.bytes % sink.grain; whole > done) {
                add(whole);
                continue;
            }
            const auto ready = [&] {
                return has_record(consumed) || draft.look(consumed).bytes != now.bytes || is_shut_down();
            };
            wait(space.parking(), input_.place, Deadline{}, ready, [&] { producers_.lock.touch(); });
            if (is_shut_down()) return false;
        }
        // Now it cannot change any more. The one that was begun may have died, and this be another
        // in its place.
        RingCursor there = consumers_.at[consumed % 2];
        store_.find(space, there, consumed);
        if (there != at || RecordStore::head_at(space, there) != head) return false;
        add(bytes);
        commit(space, turn, consumed, at, moves);
        return true;
    }

    /// Waits until there is room. Called by the holder of the putting end.
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

    /// Waits until there is a record. Called by the holder of the taking end.
    template <class IsOver>
    RingResult await_record(Space& space, std::uint64_t consumed, const Deadline& deadline,
                            const IsOver& is_over, int most_idle) {
        const auto ready = [&] { return has_record(consumed) || is_shut_down() || is_over(); };
        const auto came = [&] { return has_record(consumed) ? consumers_.seen - consumed : 0; };
        if (consumers_.patience.catches_up(input_.place, came)) return RingResult::done;
        const auto touch = [&] { producers_.lock.touch(); };
        if (!wait(space.parking(), input_.place, deadline, ready, touch, most_idle))
            return RingResult::timed_out;
        if (has_record(consumed)) return RingResult::done;
        if (!is_shut_down()) return RingResult::timed_out;
        return after_shutdown(space, consumed, deadline);
    }
};

} // namespace multiprocessing::inline v1::detail
