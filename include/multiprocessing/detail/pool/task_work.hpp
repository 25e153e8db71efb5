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

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A single call.
class TaskWork final : public Work {
public:
    explicit TaskWork(TaskSlot& slot_in_space) : slot_(slot_in_space) {}

    MULTIPROCESSING_INLINE bool ended() const override;

    MULTIPROCESSING_INLINE void on_death(const WorkerDeath& death, std::vector<TaskTicket>& again) override;

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
    std::span<const std::byte> message() const;

    TaskSlot& slot_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool TaskWork::ended() const {
    const TaskWord word = slot_.cell.load();
    // Another thread may have read it meanwhile: the slot is free then, or another task's.
    return word.state == TaskState::done || word.state == TaskState::lost || word.generation != generation;
}

MULTIPROCESSING_INLINE void TaskWork::on_death(const WorkerDeath& death, std::vector<TaskTicket>& again) {
    const TaskWord word = slot_.cell.load();
    if (word.owner != death.dead || (word.state != TaskState::run && word.state != TaskState::doom)) return;
    const bool begun = death.task == slot + std::uint64_t{1};
    if (word.state == TaskState::run && !begun && word.attempt < 255) {
        // Taken, and nothing of it done: it is simply ready again.
        given.renew(0, death.dead);
        slot_.leases = given.parcel();
        if (const auto next = slot_.cell.publish_again(word)) {
            again.push_back({slot, next->generation, next->attempt, false});
        }
        return;
    }
    given.pass_on(0, death.dead);
    // Doomed, it was killed for a reason that is known.
    if (word.state != TaskState::doom || !loss) loss = death.error(std::nullopt, 1);
    slot_.cell.lose(word);
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
