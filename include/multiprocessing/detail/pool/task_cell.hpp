#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_cell.hpp  Which worker has which task: one word per task, which claims and records in
/// the same instruction.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail {

/// Where a task stands.
enum class TaskState : std::uint8_t {
    free,  ///< No task.
    ready, ///< Any worker may claim it.
    run,   ///< The worker whose name stands in the word runs it.
    done,  ///< Its outcome is there.
    doom,  ///< Taken from the worker that runs it, which is being killed: its outcome no longer counts.
    lost,  ///< Its worker died, or it was given up; the parent knows why.
    open,  ///< The head of a map, which workers help with: no task, and never claimed.
};

/// The value of a task's word: generation 16 | attempt 8 | owner 32 | state 8.
///
/// Claim and record are one compare-and-swap: there is no instant at which a task is taken and its
/// taker unknown. (Kills prefer such instants: interrupts are taken when a slow locked instruction
/// retires. With a cursor and a record in two instructions, 11 of 3,000 kills left a chunk of 25 us
/// claimed by nobody.)
struct TaskWord {
    std::uint16_t generation = 0; ///< Counts uses of the slot.
    std::uint8_t attempt = 0;     ///< Counts the times that this task was made ready.
    Incarnation owner = 0;        ///< Only in run, done and doom.
    TaskState state = TaskState::free;

    constexpr std::uint64_t packed() const noexcept {
        return std::uint64_t{generation} << 48 | std::uint64_t{attempt} << 40 | std::uint64_t{owner} << 8 |
               static_cast<std::uint64_t>(state);
    }
    static constexpr TaskWord unpacked(std::uint64_t word) noexcept {
        return {static_cast<std::uint16_t>(word >> 48), static_cast<std::uint8_t>(word >> 40),
                static_cast<Incarnation>(word >> 8), static_cast<TaskState>(word & 0xFF)};
    }
    constexpr TaskWord with(TaskState next, Incarnation by = 0) const noexcept {
        return {generation, attempt, by, next};
    }

    friend constexpr bool operator==(TaskWord, TaskWord) noexcept = default;
};

/// The word itself, in the Space. All zero is a free one.
class TaskCell {
public:
    /// Sequentially consistent, which acquire would not do for: help() stores a promise and then
    /// looks here, recycle() stores here and the parent then looks for promises; and a dropped
    /// result is found by one of two that do the like. An acquire load may overtake a store before
    /// it (AArch64's LDAPR, RISC-V without a fence): both would see the old.
    TaskWord load() const noexcept;

    /// Parent: what the task needs has been written. Returns what a claimant must expect. `as`:
    /// ready, or the head of a map.
    TaskWord publish(TaskWord now, TaskState as = TaskState::ready) noexcept;

    /// Worker: takes the task if it is still the one that was published. From here on the word says
    /// who has it.
    bool claim(TaskWord published, Incarnation self) noexcept;

    /// Worker: the outcome has been written. False if the task was doomed meanwhile: then it must
    /// touch nothing more. Killed before: the task is lost. Killed after: the outcome counts, and
    /// the supervisor wakes its waiters.
    bool commit(TaskWord published, Incarnation self) noexcept;

    /// Parent: takes the task from the worker that has it. Only if this succeeds may the worker be
    /// killed for it: a task that has just ended, and the next that its worker has begun, are
    /// innocent.
    bool doom(TaskWord running) noexcept;

    /// Parent, once the owner is dead: makes the task ready again, as another attempt; nullopt if
    /// it was not that one's.
    std::optional<TaskWord> publish_again(TaskWord running) noexcept;

    /// Parent: gives the task up.
    bool lose(TaskWord now) noexcept;

    /// Parent: the slot is free for another task.
    void recycle() noexcept;

private:
    // Release and acquire hand over what was written for the task, and what it wrote. Sequential
    // consistency orders a commit before the look at the sleepers (parking.hpp), and a recycling
    // before the look at the helpers (pool).
    void store(TaskWord word) noexcept;
    bool exchange(TaskWord from, TaskWord to) noexcept;

    std::atomic<std::uint64_t> word_{0};
};
static_assert(sizeof(TaskCell) == 8);

/// An announcement of work: task `slot` as it was published, or a map that wants helpers. Of which
/// kind it is stands in the word as well: an announcement that was read 65,536 uses of the slot ago
/// can be taken for one of its own kind at most, and a task that is ready may be claimed by any
/// worker that comes.
struct TaskTicket {
    std::uint32_t slot = 0;
    std::uint16_t generation = 0;
    std::uint8_t attempt = 0;
    bool wants_helpers = false;

    constexpr TaskWord published() const noexcept {
        return {generation, attempt, 0, wants_helpers ? TaskState::open : TaskState::ready};
    }
};
static_assert(sizeof(TaskTicket) == 8 && std::atomic<TaskTicket>::is_always_lock_free);

/// Announcements in order, in the Space: one process writes, all workers read. Nothing depends on
/// it but the order and the speed: whether a task may be taken is decided by its cell, so every
/// reader of an announcement helps to move the head past it, and one that is killed in between
/// holds up nobody.
class TaskRing {
public:
    static constexpr std::uint64_t capacity = std::uint64_t{1} << 20; // 8 MiB, touched as far as used

    /// Of a block that held something else. The tickets themselves are not touched: that would make
    /// 8 MiB of pages real.
    void reset() noexcept;

    /// Parent, one thread at a time. False if there is no room.
    bool push(TaskTicket ticket) noexcept;

    bool empty() const noexcept;

    /// How far the head is, for pass().
    std::uint64_t head() const noexcept { return head_.load(std::memory_order_acquire); }

    /// The announcement at `head`; nullopt if there is none. A slow reader may get a later one: it
    /// decides nothing.
    std::optional<TaskTicket> peek(std::uint64_t head) const noexcept;

    /// Moves the head past the announcement; true for the worker that did.
    bool pass(std::uint64_t head) noexcept {
        return head_.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel);
    }

private:
    alignas(64) std::atomic<std::uint64_t> head_{0};
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    alignas(64) std::atomic<TaskTicket> tickets_[capacity];
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE TaskWord TaskCell::load() const noexcept {
    return TaskWord::unpacked(word_.load(std::memory_order_seq_cst));
}

MULTIPROCESSING_INLINE TaskWord TaskCell::publish(TaskWord now, TaskState as) noexcept {
    store(now.with(as));
    return now.with(as);
}

MULTIPROCESSING_INLINE bool TaskCell::claim(TaskWord published, Incarnation self) noexcept {
    return exchange(published, published.with(TaskState::run, self));
}

MULTIPROCESSING_INLINE bool TaskCell::commit(TaskWord published, Incarnation self) noexcept {
    return exchange(published.with(TaskState::run, self), published.with(TaskState::done, self));
}

MULTIPROCESSING_INLINE bool TaskCell::doom(TaskWord running) noexcept {
    return exchange(running, running.with(TaskState::doom, running.owner));
}

MULTIPROCESSING_INLINE std::optional<TaskWord> TaskCell::publish_again(TaskWord running) noexcept {
    TaskWord next = running.with(TaskState::ready);
    ++next.attempt;
    return exchange(running, next) ? std::optional(next) : std::nullopt;
}

MULTIPROCESSING_INLINE bool TaskCell::lose(TaskWord now) noexcept {
    return exchange(now, now.with(TaskState::lost));
}

MULTIPROCESSING_INLINE void TaskCell::recycle() noexcept {
    TaskWord next = load().with(TaskState::free);
    ++next.generation;
    next.attempt = 0;
    store(next);
}

MULTIPROCESSING_INLINE void TaskCell::store(TaskWord word) noexcept {
    word_.store(word.packed(), std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE bool TaskCell::exchange(TaskWord from, TaskWord to) noexcept {
    std::uint64_t expected = from.packed();
    return word_.compare_exchange_strong(expected, to.packed(), std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void TaskRing::reset() noexcept {
    head_.store(0, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE bool TaskRing::push(TaskTicket ticket) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= capacity) return false;
    tickets_[tail % capacity].store(ticket, std::memory_order_relaxed);
    // Sequentially consistent: either a worker that goes idle sees it, or its sign of being
    // idle is seen.
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
}

MULTIPROCESSING_INLINE bool TaskRing::empty() const noexcept {
    return head_.load(std::memory_order_seq_cst) == tail_.load(std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE std::optional<TaskTicket> TaskRing::peek(std::uint64_t head) const noexcept {
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    return tickets_[head % capacity].load(std::memory_order_relaxed);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
