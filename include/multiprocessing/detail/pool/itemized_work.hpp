#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file itemized_work.hpp  A map that is done item by item, in its parent: a death costs one item,
/// and what has ended can be read while the rest runs.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/pool/map_work.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/pool/work.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// What several itemized maps of one reader share: where it sleeps.
class AttentionBlock {
public:
    AttentionBlock() : block_(tree().heap.allocate_zeroed(sizeof(ItemizedAttention))) {}

    Position position() const noexcept { return block_.position(); }
    ItemizedAttention& attention() const;

private:
    Block block_;
};

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

class ItemizedMapWork final : public MapWork {
public:
    using Chunk = ItemizedChunk;

    ItemizedMapWork(PoolView view, std::uint64_t items, std::shared_ptr<AttentionBlock> attention)
        : MapWork(view, items), attention_(std::move(attention)) {}
    MULTIPROCESSING_INLINE ~ItemizedMapWork() override;

    ItemizedChunk& chunk(std::uint64_t index) const noexcept {
        return view_.chunk<ItemizedChunk>(*job_, index);
    }
    ItemizedAttention* attention() const noexcept override { return &attention_->attention(); }
    Position attention_position() const noexcept { return attention_->position(); }

    MULTIPROCESSING_INLINE std::uint64_t items_done() const override;

    MULTIPROCESSING_INLINE bool refers_to(Position block) const override;

    MULTIPROCESSING_INLINE void discard(const std::exception_ptr& expected) noexcept override;
    /// Its errors are of no interest.
    void abandon() noexcept { is_abandoned_ = true; }
    void set_read() noexcept { read_ = true; }

    /// Takes back what has not begun: nobody wants it. The table's mutex is held.
    void cancel_rest() noexcept;

    /// What has come of `item` of that chunk. Items of a chunk are asked for in ascending order,
    /// with one `tape`. `loss_of_item` calls loss_of(), under the table's mutex if the map runs.
    template <class LossOf>
    ItemOutcome outcome_of(std::uint64_t index, std::uint64_t item, TapeReader& tape,
                           LossOf loss_of_item) const {
        const ItemizedChunk& at = chunk(index);
        // The cell first: what is over does not move any more.
        const bool over = is_over(at.cell.load());
        if (item >= at.item()) {
            if (!over) return {};
            // Given up before it began, or while it ran.
            return {ItemOutcome::lost, nullptr, loss_of_item(item, false)};
        }
        if (TapeRecord* const record = tape.find(item))
            return {record->kind == OutcomeKind::value ? ItemOutcome::value : ItemOutcome::thrown, record, {}};
        if (has_losses_.load(std::memory_order_acquire)) {
            if (std::exception_ptr error = loss_of_item(item, true))
                return {ItemOutcome::lost, nullptr, std::move(error)};
        }
        return {ItemOutcome::value, nullptr, {}};
    }

    /// All items of that chunk before this one have ended, and those that are not taken yet lie in
    /// their places as plain results; the chunk's first item if that is not known.
    std::uint64_t plain_until(std::uint64_t index) const;

    /// Why an item was lost; null if it was not. `ended`: it is past its chunk's progress. The
    /// table's mutex is held, or the map has ended.
    std::exception_ptr loss_of(std::uint64_t item, bool item_ended) const;

    /// Calls `visit(item, outcome)` for all items in order. After its end.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            const ItemizedChunk& at = chunk(i);
            TapeReader tape{at};
            for (std::uint64_t item = at.first; item < at.end; ++item)
                visit(item, outcome_of(i, item, tape, [&](std::uint64_t lost, bool item_ended) {
                          return loss_of(lost, item_ended);
                      }));
        }
    }

    /// What is first in the order of the input, whether thrown or lost; null if all went well.
    std::exception_ptr first_error() const;

protected:
    /// Whoever owned it is dead: what it had ended counts, the item that it was at is lost.
    MULTIPROCESSING_INLINE void take_back(std::uint64_t index, const WorkerDeath& death) override;

private:
    const std::shared_ptr<AttentionBlock> attention_;
    std::atomic<bool> has_losses_{false};
    bool is_abandoned_ = false; // guarded by the table's mutex
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ItemizedAttention& AttentionBlock::attention() const {
    return tree().space.at<ItemizedAttention>(block_.position());
}

MULTIPROCESSING_INLINE ItemizedMapWork::~ItemizedMapWork() {
    // No worker looks at it any more.
    if (!job_ || !origin_.is_here()) return;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) free_tape(chunk(i));
}

MULTIPROCESSING_INLINE std::uint64_t ItemizedMapWork::items_done() const {
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) done += chunk(i).item() - chunk(i).first;
    return (std::min)(done, items_);
}

MULTIPROCESSING_INLINE bool ItemizedMapWork::refers_to(Position block) const {
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        if (tape_refers_to(chunk(i), block)) return true;
    }
    return false;
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
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        ChunkHead& at = head(i);
        for (TaskWord word = at.cell.load(); word.state == TaskState::ready; word = at.cell.load())
            at.cell.lose(word);
    }
}

MULTIPROCESSING_INLINE std::uint64_t ItemizedMapWork::plain_until(std::uint64_t index) const {
    const ItemizedChunk& at = chunk(index);
    const std::uint64_t ended = at.item();
    const bool all_plain =
        at.tape.load(std::memory_order_acquire) == 0 && !has_losses_.load(std::memory_order_acquire);
    return all_plain ? ended : at.first;
}

MULTIPROCESSING_INLINE std::exception_ptr ItemizedMapWork::loss_of(std::uint64_t item, bool item_ended) const {
    if (const auto loss = losses_.find(item); loss != losses_.end()) return loss->second;
    if (item_ended) return nullptr;
    return given_up_ ? given_up_ : unknown_loss();
}

MULTIPROCESSING_INLINE std::exception_ptr ItemizedMapWork::first_error() const {
    std::exception_ptr first;
    for_each([&](std::uint64_t, const ItemOutcome& outcome) {
        if (first) return;
        if (outcome.kind == ItemOutcome::lost) first = outcome.error;
        if (outcome.kind == ItemOutcome::thrown) first = rebuild(failure_of(outcome.record->message()));
    });
    return first;
}

MULTIPROCESSING_INLINE void ItemizedMapWork::take_back(std::uint64_t index, const WorkerDeath& death) {
    ItemizedChunk& at = chunk(index);
    const std::uint64_t progress = at.progress.load(std::memory_order_acquire);
    std::uint64_t rest = progress >> 1;
    const bool ran = (progress & 1) != 0;
    // What may fail comes first: this may be called again.
    if (ran && rest < at.end) {
        const bool doomed = at.cell.load().state == TaskState::doom && given_up_;
        losses_.emplace(rest, doomed ? given_up_ : death.error(job_->first_index + rest, 1));
        has_losses_.store(true, std::memory_order_release);
    }
    TapeReader tape{at};
    tape.find(rest);
    tape.cut(); // what it had written of the item that it was at
    if (ran && rest < at.end) ++rest;
    // The loss first: a reader that sees the item as past finds why.
    at.progress.store(ItemizedChunk::at(rest, false), std::memory_order_release);
    publish_rest(index, rest);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
