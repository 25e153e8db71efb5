#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_work.hpp  A single call in its parent.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/pool/lease_array.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/reduction.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A single call.
class TaskWork final : public Work {
public:
    explicit TaskWork(TaskSlot& slot_in_space) : slot_(slot_in_space) {}

    MULTIPROCESSING_INLINE bool ended() const override;

    MULTIPROCESSING_INLINE void on_death(const WorkerDeath& death, Announcements& again) override;

    MULTIPROCESSING_INLINE void on_time(Announcements& again) override;

    MULTIPROCESSING_INLINE std::optional<WorkPoint> point_of(const WorkerLine& line,
                                                             Incarnation worker) const override;

    MULTIPROCESSING_INLINE bool doom(const WorkPoint& point, EndReason reason,
                                     std::uint64_t memory) noexcept override;

    void on_replacement(std::uint32_t, Incarnation) override {}

    MULTIPROCESSING_INLINE void give_up(const std::exception_ptr& error) noexcept override;

    MULTIPROCESSING_INLINE bool running() const override;

    MULTIPROCESSING_INLINE bool cancel() noexcept override;

    MULTIPROCESSING_INLINE bool kill(std::vector<Incarnation>& owners) noexcept override;

    bool refers_to(Position block) const override {
        return slot_.cell.load().state == TaskState::done && slot_.result.block == block;
    }

    MULTIPROCESSING_INLINE void discard(const std::exception_ptr& expected) noexcept override;

    bool has_helpers() const noexcept override { return false; }
    bool leases_to_workers() const noexcept override { return false; }

    /// Reads the outcome by `read(reader)`, once; throws what the task threw, or why it was lost.
    template <class Read>
    auto read(Read read_value) {
        const ScopeExit done{[&] {
            read_ = true;
            if (slot_.cell.load().state == TaskState::done) free_outcome(slot_.result);
        }};
        const TaskWord word = slot_.cell.load();
        if (word.state == TaskState::lost) std::rethrow_exception(loss ? loss : unknown_loss());
        given.pass_on(0, word.owner);
        if (slot_.outcome == OutcomeKind::exception) throw_remote(failure_of(message()));
        ReceivedResult inheriting{slot_.result};
        Reader reader{message(), &inheriting};
        return read_value(reader);
    }

    std::vector<Block> arguments; // what the call's arguments lie in
    LeaseArray given;
    std::exception_ptr loss; // written before the cell says lost

private:
    using Clock = std::chrono::steady_clock;

    std::span<const std::byte> message() const;
    /// What is left of it when its worker is gone is made ready again.
    TaskTicket publish_again(TaskWord word, Incarnation dead);

    // The supervisor's.
    std::uint32_t failures_ = 0;                // attempts whose worker ended
    Verdict verdict_ = {};                      // of the attempt that is doomed for a limit
    std::optional<Clock::time_point> due_ = {}; // when the next attempt is announced

    TaskSlot& slot_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <atomic>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool TaskWork::ended() const {
    const TaskWord word = slot_.cell.load();
    // Another thread may have read it meanwhile: the slot is free then, or another task's.
    return word.state == TaskState::done || word.state == TaskState::lost || word.generation != generation;
}

MULTIPROCESSING_INLINE TaskTicket TaskWork::publish_again(TaskWord word, Incarnation dead) {
    given.renew(0, dead);
    slot_.leases = given.parcel();
    const auto next = slot_.cell.publish_again(word);
    return {slot, next->generation, next->attempt, false};
}

MULTIPROCESSING_INLINE void TaskWork::on_death(const WorkerDeath& death, Announcements& again) {
    const TaskWord word = slot_.cell.load();
    if (word.owner != death.dead || (word.state != TaskState::run && word.state != TaskState::doom)) return;
    const bool begun = death.task == slot + std::uint64_t{1};
    if (word.state == TaskState::run && !begun && word.attempt < 255) {
        // Taken, and nothing of it done: it is simply ready again.
        again.tickets.push_back(publish_again(word, death.dead));
        return;
    }
    const bool killed = word.state == TaskState::doom && verdict_.reason == EndReason::lost;
    if (!killed && failures_ < policy.retries) {
        // Ready, and not announced before its time: cancel() finds it as any that waits. A worker
        // that knows the word of an attempt 256 ago takes it early, which does no harm.
        slot_.attempt.store(failures_ + 2, std::memory_order_relaxed);
        publish_again(word, death.dead);
        verdict_ = {};
        due_ = Clock::now() + retry_delay(++failures_);
        again.due = due_;
        return;
    }
    given.pass_on(0, death.dead);
    // Killed: why is known.
    if (!killed || !loss)
        loss = death.error({verdict_.reason, std::nullopt, 1, failures_, policy, verdict_.memory});
    slot_.cell.lose(word);
}

MULTIPROCESSING_INLINE void TaskWork::on_time(Announcements& again) {
    if (!due_) return;
    const TaskWord word = slot_.cell.load();
    if (word.generation != generation || word.state != TaskState::ready) { // cancelled, or taken early
        due_.reset();
    } else if (*due_ <= Clock::now()) {
        again.tickets.push_back({slot, word.generation, word.attempt, false});
        due_.reset();
    } else {
        again.due = due_;
    }
}

MULTIPROCESSING_INLINE std::optional<WorkPoint> TaskWork::point_of(const WorkerLine& line,
                                                                   Incarnation worker) const {
    const TaskWord word = slot_.cell.load();
    if (word.state != TaskState::run || word.owner != worker || word.generation != generation ||
        line.task.load(std::memory_order_acquire) != slot + std::uint64_t{1})
        return std::nullopt;
    return WorkPoint{slot, generation, word, 0, 0, policy};
}

MULTIPROCESSING_INLINE bool TaskWork::doom(const WorkPoint& point, EndReason reason,
                                           std::uint64_t memory) noexcept {
    verdict_ = {point, reason, memory};
    if (slot_.cell.doom(point.word)) return true;
    verdict_ = {}; // it has just ended
    return false;
}

MULTIPROCESSING_INLINE void TaskWork::give_up(const std::exception_ptr& error) noexcept {
    for (;;) {
        const TaskWord word = slot_.cell.load();
        if (word.state == TaskState::done || word.state == TaskState::lost) return;
        loss = error;
        // A worker may be about to commit: then that counts. (The worker itself is killed next,
        // or gone.)
        if (slot_.cell.lose(word)) return;
    }
}

MULTIPROCESSING_INLINE bool TaskWork::running() const {
    const TaskWord word = slot_.cell.load();
    return (word.state == TaskState::run || word.state == TaskState::doom) && word.generation == generation;
}

MULTIPROCESSING_INLINE bool TaskWork::cancel() noexcept {
    const TaskWord word = slot_.cell.load();
    if (word.state != TaskState::ready) return false;
    const std::exception_ptr before = std::exchange(loss, cancellation());
    if (slot_.cell.lose(word)) return true;
    loss = before; // a worker was quicker
    return false;
}

MULTIPROCESSING_INLINE bool TaskWork::kill(std::vector<Incarnation>& owners) noexcept {
    for (;;) {
        const TaskWord word = slot_.cell.load();
        if (word.state == TaskState::doom && verdict_.reason != EndReason::lost && failures_ < policy.retries) {
            verdict_ = {}; // it is being ended already; now no other attempt follows
            loss = cancellation();
            return true;
        }
        // It has ended, and a thread may be reading why; or it is doomed for another reason.
        if (word.state != TaskState::ready && word.state != TaskState::run) return false;
        const std::exception_ptr before = std::exchange(loss, cancellation());
        if (word.state == TaskState::ready && slot_.cell.lose(word)) return true;
        if (word.state == TaskState::run && slot_.cell.doom(word)) {
            owners.push_back(word.owner);
            return true;
        }
        loss = before; // a worker was quicker
    }
}

MULTIPROCESSING_INLINE void TaskWork::discard(const std::exception_ptr& expected) noexcept {
    if (std::exchange(read_, true)) return;
    const TaskState state = slot_.cell.load().state;
    if (state == TaskState::lost && loss != expected) log_unread_error([&] { return loss; });
    if (state != TaskState::done) return;
    if (slot_.outcome == OutcomeKind::exception)
        log_unread_error([&] { return rebuild(failure_of(message())); });
    free_outcome(slot_.result);
}

MULTIPROCESSING_INLINE std::span<const std::byte> TaskWork::message() const {
    if (slot_.result.block) return outcome_message(slot_.result);
    return {slot_.small_result, static_cast<std::size_t>(slot_.result.bytes)};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
