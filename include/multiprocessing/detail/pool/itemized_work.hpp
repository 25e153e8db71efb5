#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file itemized_work.hpp  A map that is done item by item, in its parent: a death costs one item,
/// and what has ended can be read while the rest runs.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/pool/attention_block.hpp>
#include <multiprocessing/detail/pool/map_work.hpp>
#include <multiprocessing/detail/pool/retried_items.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/pool/work.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What has come of one item.
struct ItemOutcome {
    enum Kind {
        none,   ///< Nothing yet.
        value,  ///< In `record`, or, if that is null, in its place among plain results.
        thrown, ///< In `record`.
        lost,   ///< `error` says why.
    };
    Kind kind = none;
    TapeRecord* record = nullptr;
    std::exception_ptr error = nullptr;
};

/// A map that is done item by item.
///
/// An item whose worker ended may be tried again: alone, in one of the spare chunks behind the
/// others, when its time has come. What comes of it stands there, then among the retried items.
class ItemizedMapWork final : public MapWork {
public:
    using Chunk = ItemizedChunk;

    ItemizedMapWork(PoolView view, std::uint64_t items, std::shared_ptr<AttentionBlock> attention,
                    const TaskPolicy& items_policy)
        : MapWork(view, items), attention_(std::move(attention)), retried_(view, items_policy.retries) {
        policy = items_policy;
    }
    MULTIPROCESSING_INLINE ~ItemizedMapWork() override;

    ItemizedChunk& chunk(std::uint64_t index) const noexcept {
        return view_.chunk<ItemizedChunk>(*job_, index);
    }
    ItemizedAttention* attention() const noexcept override { return &attention_->attention(); }
    Position attention_position() const noexcept { return attention_->position(); }
    void set_job(MapJob& job) noexcept override {
        MapWork::set_job(job);
        retried_.set_job(job);
    }

    MULTIPROCESSING_INLINE bool ended() const override;

    MULTIPROCESSING_INLINE std::uint64_t items_done() const override;

    MULTIPROCESSING_INLINE void on_time(Announcements& again) override;

    MULTIPROCESSING_INLINE std::optional<WorkPoint> point_of(const WorkerLine& line,
                                                             Incarnation worker) const override;

    MULTIPROCESSING_INLINE bool doom(const WorkPoint& point, EndReason reason,
                                     std::uint64_t memory) noexcept override;

    MULTIPROCESSING_INLINE bool end_if_failed(std::vector<Incarnation>& owners) noexcept override;

    /// The worker that has this chunk shall leave before its next item. The table's mutex is held.
    void ask_to_go(const WorkPoint& point) noexcept;

    MULTIPROCESSING_INLINE bool refers_to(Position block) const override;

    MULTIPROCESSING_INLINE void discard(const std::exception_ptr& expected) noexcept override;
    /// Its errors are of no interest.
    void abandon() noexcept { is_abandoned_ = true; }
    void set_read() noexcept { read_ = true; }

    /// Takes back what has not begun: nobody wants it. The table's mutex is held.
    void cancel_rest() noexcept;

    /// What has come of `item` of that chunk. Items of a chunk are asked for in ascending order,
    /// with one `tape`. `ask_parent` calls parents_outcome_of(), under the table's mutex if the map
    /// runs.
    template <class AskParent>
    ItemOutcome outcome_of(std::uint64_t index, std::uint64_t item, TapeReader& tape,
                           AskParent ask_parent) const {
        const ItemizedChunk& at = chunk(index);
        // The cell first: what is over does not move any more.
        const bool over = is_over(at.cell.load());
        if (item >= at.item()) {
            if (!over) return {};
            return ask_parent(item, false); // given up before it began, or while it ran
        }
        if (TapeRecord* const record = tape.find(item))
            return {record->kind == OutcomeKind::value ? ItemOutcome::value : ItemOutcome::thrown, record, {}};
        if (has_losses_.load(std::memory_order_acquire)) return ask_parent(item, true);
        return {ItemOutcome::value, nullptr, {}};
    }

    /// All items of that chunk before this one have ended, and those that are not taken yet lie in
    /// their places as plain results; the chunk's first item if that is not known.
    std::uint64_t plain_until(std::uint64_t index) const;

    /// What has come of an item that has no record in its chunk. `item_ended`: it is past the
    /// chunk's progress. The table's mutex is held, or the map has ended.
    ItemOutcome parents_outcome_of(std::uint64_t item, bool item_ended) const;

    /// Calls `visit(item, outcome)` for all items in order. After its end.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            const ItemizedChunk& at = chunk(i);
            TapeReader tape{at};
            for (std::uint64_t item = at.first; item < at.end; ++item)
                visit(item, outcome_of(i, item, tape, [&](std::uint64_t asked, bool item_ended) {
                          return parents_outcome_of(asked, item_ended);
                      }));
        }
    }

    /// Whether an attempt at any item has failed.
    bool has_losses() const noexcept { return has_losses_.load(std::memory_order_acquire); }
    /// Whether nothing more comes of an item that is past its chunk's progress. The table's mutex
    /// is held.
    bool is_decided(std::uint64_t item) const {
        return parents_outcome_of(item, true).kind != ItemOutcome::none;
    }

    /// All results are plain, and none failed. After its end.
    bool is_all_plain() const;

    /// What is first, whether thrown or lost: in the order of the input, or, if the first failure
    /// ends it, in time; null if all went well. After its end.
    std::exception_ptr first_error() const;

protected:
    /// Whoever owned it is dead: what it had ended counts, the item that it was at is lost, or to
    /// be tried again.
    MULTIPROCESSING_INLINE void take_back(std::uint64_t index, const WorkerDeath& death,
                                          Announcements& again) override;

    std::uint64_t item_at(const WorkerLine&, std::uint64_t index) const override { return chunk(index).item(); }
    void drop_waiting() noexcept override { retried_.drop_waiting(); }

private:
    // Where the first failure ends it.
    void note_failure(std::uint64_t item) noexcept;
    void look_for_failure(const ItemizedChunk& chunk) noexcept;

    /// Why an item has not been done, though the map is over.
    std::exception_ptr why_given_up() const;
    /// What has come of an item of which an attempt failed.
    ItemOutcome outcome_of_retried(const RetriedItem& retried, std::uint64_t item) const;

    const std::shared_ptr<AttentionBlock> attention_;
    std::atomic<bool> has_losses_{false};
    RetriedItems retried_;
    bool is_abandoned_ = false; // guarded by the table's mutex
    bool has_stopped_ = false;  // the same: at the first failure
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/process_barrier.hpp>

#include <algorithm>
#include <chrono>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ItemizedMapWork::~ItemizedMapWork() {
    // No worker looks at it any more.
    if (!job_ || !origin_.is_here()) return;
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) free_tape(chunk(i).tape);
    retried_.free_tapes();
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::ended() const {
    if (job_->spare_count == 0) return MapWork::ended();
    const std::uint64_t before = retried_.state();
    return RetriedItems::waiting(before) == 0 && MapWork::ended() && retried_.running() == 0 &&
           retried_.state() == before;
}

MULTIPROCESSING_INLINE std::uint64_t ItemizedMapWork::items_done() const {
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) done += chunk(i).item() - chunk(i).first;
    const std::uint64_t again = RetriedItems::waiting(retried_.state()) + retried_.running();
    return (std::min)(done - (std::min)(done, again), items_);
}

MULTIPROCESSING_INLINE void ItemizedMapWork::on_time(Announcements& again) {
    for (std::uint32_t i = retried_.publish_due(again.due); i > 0; --i)
        again.tickets.push_back({slot, generation, 0, true});
}

MULTIPROCESSING_INLINE std::optional<WorkPoint> ItemizedMapWork::point_of(const WorkerLine& line,
                                                                          Incarnation worker) const {
    const std::uint64_t index = line.chunk.load(std::memory_order_acquire);
    if (!line.is_helping(map_name(slot, generation)) || index == 0 || index > job_->all_chunks())
        return std::nullopt;
    const ItemizedChunk& at = chunk(index - 1);
    const TaskWord word = at.cell.load();
    const std::uint64_t progress = at.progress.load(std::memory_order_acquire);
    if (word.state != TaskState::run || word.owner != worker || (progress & 1) == 0) return std::nullopt;
    return WorkPoint{slot, generation, word, index, progress, policy};
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::doom(const WorkPoint& point, EndReason, std::uint64_t) noexcept {
    ItemizedChunk& at = chunk(point.chunk - 1);
    attention_->open_ask(at, ask_to_halt);
    // Whoever goes on to another item now sees that; see ItemFrame::advance().
    if (view_.shared().has_barrier && !platform::process_barrier())
        std::this_thread::sleep_for(std::chrono::milliseconds{1}); // longer than a store takes
    // The same item still, of the same claim: it is killed at that, or, if it ends it meanwhile,
    // before it begins another.
    if (at.progress.load(std::memory_order_seq_cst) == point.progress && at.cell.load() == point.word)
        return true;
    attention_->close_ask(at);
    return false;
}

MULTIPROCESSING_INLINE void ItemizedMapWork::ask_to_go(const WorkPoint& point) noexcept {
    ItemizedChunk& at = chunk(point.chunk - 1);
    if (at.cell.load() == point.word && at.ask.load(std::memory_order_relaxed) == 0)
        attention_->open_ask(at, ask_to_leave);
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::end_if_failed(std::vector<Incarnation>& owners) noexcept {
    if (!policy.fail_fast || has_stopped_ || !attention_->attention().has_failed()) return false;
    has_stopped_ = true;
    return kill(owners);
}

MULTIPROCESSING_INLINE void ItemizedMapWork::note_failure(std::uint64_t item) noexcept {
    if (policy.fail_fast) attention_->attention().fail(job_->first_index + item);
}

MULTIPROCESSING_INLINE void ItemizedMapWork::look_for_failure(const ItemizedChunk& chunk) noexcept {
    if (!policy.fail_fast) return;
    bool has_failed = false;
    TapeReader{chunk}.for_each([&](const TapeRecord& record) {
        if (record.kind == OutcomeKind::exception && !std::exchange(has_failed, true))
            note_failure(record.item);
    });
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::refers_to(Position block) const {
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) {
        if (tape_refers_to(chunk(i).tape, block)) return true;
    }
    return retried_.refers_to(block);
}

MULTIPROCESSING_INLINE void ItemizedMapWork::discard(const std::exception_ptr& expected) noexcept {
    if (std::exchange(read_, true) || is_abandoned_) return;
    log_unread_error([&] {
        std::exception_ptr error = first_error();
        return error == expected ? nullptr : error;
    });
}

MULTIPROCESSING_INLINE void ItemizedMapWork::cancel_rest() noexcept {
    if (!given_up_) given_up_ = cancellation();
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) {
        ChunkHead& at = head(i);
        for (TaskWord word = at.cell.load(); word.state == TaskState::ready; word = at.cell.load())
            at.cell.lose(word);
    }
    drop_waiting();
}

MULTIPROCESSING_INLINE std::uint64_t ItemizedMapWork::plain_until(std::uint64_t index) const {
    const ItemizedChunk& at = chunk(index);
    const std::uint64_t ended = at.item();
    const bool all_plain =
        at.tape.load(std::memory_order_acquire) == 0 && !has_losses_.load(std::memory_order_acquire);
    return all_plain ? ended : at.first;
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::is_all_plain() const {
    if (has_losses_.load(std::memory_order_acquire) || given_up_) return false;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        if (plain_until(i) != chunk(i).end) return false;
    }
    return true;
}

MULTIPROCESSING_INLINE ItemOutcome ItemizedMapWork::parents_outcome_of(std::uint64_t item,
                                                                       bool item_ended) const {
    if (const auto loss = losses_.find(item); loss != losses_.end())
        return {ItemOutcome::lost, nullptr, loss->second};
    if (const RetriedItem* const retried = retried_.find(item)) return outcome_of_retried(*retried, item);
    if (item_ended) return {ItemOutcome::value, nullptr, {}};
    return {ItemOutcome::lost, nullptr, why_given_up()};
}

MULTIPROCESSING_INLINE std::exception_ptr ItemizedMapWork::why_given_up() const {
    if (given_up_) return given_up_;
    return policy.fail_fast && attention_->attention().has_failed() ? cancellation() : unknown_loss();
}

MULTIPROCESSING_INLINE ItemOutcome ItemizedMapWork::outcome_of_retried(const RetriedItem& retried,
                                                                       std::uint64_t item) const {
    if (retried.due) return {};
    const std::atomic<Position>* tape = &retried.tape;
    if (retried.spare) {
        const ItemizedChunk& at = chunk(*retried.spare);
        const TaskWord word = at.cell.load();
        if (!is_over(word)) return {};
        // Taken back before it was over, it has ended all the same if its worker had come so far.
        if (at.item() <= item) return {ItemOutcome::lost, nullptr, why_given_up()};
        tape = &at.tape;
    } else if (retried.is_lost) {
        return {ItemOutcome::lost, nullptr, why_given_up()};
    }
    TapeRecord* const record = TapeReader{*tape}.find(item);
    if (record && record->kind == OutcomeKind::exception) return {ItemOutcome::thrown, record, {}};
    return {ItemOutcome::value, record, {}};
}

MULTIPROCESSING_INLINE std::exception_ptr ItemizedMapWork::first_error() const {
    const std::uint64_t failed =
        policy.fail_fast ? attention_->attention().failed.load(std::memory_order_acquire) : 0;
    if (given_up_ && failed == 0) return given_up_; // as a whole
    std::exception_ptr first;
    for_each([&](std::uint64_t item, const ItemOutcome& outcome) {
        if (outcome.kind == ItemOutcome::value || (first && job_->first_index + item + 1 != failed)) return;
        first =
            outcome.kind == ItemOutcome::lost ? outcome.error : rebuild(failure_of(outcome.record->message()));
    });
    return first;
}

MULTIPROCESSING_INLINE void ItemizedMapWork::take_back(std::uint64_t index, const WorkerDeath& death,
                                                       Announcements& again) {
    ItemizedChunk& at = chunk(index);
    const std::uint64_t progress = at.progress.load(std::memory_order_acquire);
    std::uint64_t rest = progress >> 1;
    const bool ran = (progress & 1) != 0 && rest < at.end;
    RetriedItem* retried = nullptr; // its next attempt
    // What may fail comes first: this may be called again.
    if (ran) {
        // A worker is killed for the item that it is at, and may have ended it before it was dead.
        const bool is_judged =
            death.verdict.point.chunk == index + 1 && death.verdict.point.progress == progress;
        if (given_up_) {
            losses_.emplace(rest, given_up_);
        } else if (retried = retried_.prepare(rest); !retried) {
            losses_.emplace(
                rest, death.error({is_judged ? death.verdict.reason : EndReason::lost, job_->first_index + rest,
                                   1, retried_.failures_of(rest), policy, death.verdict.memory}));
            items_lost_.fetch_add(1, std::memory_order_relaxed);
        }
        has_losses_.store(true, std::memory_order_release);
    }
    attention_->close_ask(at);
    TapeReader tape{at};
    tape.find(rest);
    tape.cut(); // what it had written of the item that it was at
    look_for_failure(at);
    if (retried) {
        const auto due = retried_.wait(rest, *retried);
        again.due = again.due ? (std::min)(*again.due, due) : due;
    } else if (ran) {
        note_failure(rest);
    }
    if (ran) ++rest;
    // The loss first: a reader that sees the item as past finds why.
    at.progress.store(ItemizedChunk::at(rest, false), std::memory_order_release);
    publish_rest(index, rest);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
