#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file retried_items.hpp  The items of a map of which an attempt failed: which wait for another,
/// where that runs, and what came of it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An item of which an attempt has failed.
struct RetriedItem {
    using Clock = std::chrono::steady_clock;

    std::uint32_t failures = 0;
    std::optional<Clock::time_point> due = {}; ///< It waits for the next.
    std::optional<std::uint64_t> spare = {};   ///< The chunk that it has; else what came of it is here:
    bool is_lost = false;                      ///< Nothing, as the map was given up.
    std::atomic<Position> tape{0};             ///< Its record, if it has one.
};

/// The retried items of one map. A further attempt has a spare chunk for itself, behind the map's
/// others, so that whoever is free makes it, and nobody waits for it who works on its neighbours.
///
/// The table's mutex is held, or the map has ended, but for what says otherwise.
class RetriedItems {
public:
    RetriedItems(PoolView view, std::uint32_t most_failures) : view_(view), most_failures_(most_failures) {}
    RetriedItems(const RetriedItems&) = delete;
    RetriedItems& operator=(const RetriedItems&) = delete;

    void set_job(MapJob& job) noexcept { job_ = &job; }
    /// Frees what came of them. By whoever made the map.
    void free_tapes() noexcept;

    std::uint32_t failures_of(std::uint64_t item) const noexcept;
    /// The item's entry, if another attempt of it may be made; it can be asked for again.
    RetriedItem* prepare(std::uint64_t item);
    /// Its attempt has failed: the next one is made at the time that this returns. Before a chunk
    /// says that it is over.
    RetriedItem::Clock::time_point wait(std::uint64_t item, RetriedItem& retried) noexcept;
    /// Publishes what is due, as far as there are spare chunks. Returns how many; `next` is when
    /// something else will be.
    std::uint32_t publish_due(std::optional<RetriedItem::Clock::time_point>& next);
    /// No further attempts are made.
    void drop_waiting() noexcept;

    /// Null if no attempt of the item has failed.
    const RetriedItem* find(std::uint64_t item) const noexcept;
    bool refers_to(Position block) const;

    // Whether the attempts have ended, by any thread. An item is among those that wait, or in a
    // spare chunk: whoever finds none in either, and the state unchanged between, knows that there
    // was none.

    /// Changes whenever an item comes to wait, or does no more.
    std::uint64_t state() const noexcept { return waiting_.load(std::memory_order_seq_cst); }
    static std::uint32_t waiting(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
    /// How many spare chunks are not over.
    std::uint64_t running() const noexcept;

private:
    static bool is_over(TaskWord word) noexcept {
        return word.state == TaskState::done || word.state == TaskState::lost;
    }
    ItemizedChunk& chunk(std::uint64_t index) const noexcept {
        return view_.chunk<ItemizedChunk>(*job_, index);
    }
    /// A spare chunk that can be used; nullopt if all are in use.
    std::optional<std::uint64_t> free_spare() noexcept;
    void publish(std::uint64_t index, std::uint64_t item, RetriedItem& retried) noexcept;

    // The lower half counts, the upper half changes each time.
    static constexpr std::uint64_t one_more_waits = (std::uint64_t{1} << 32) + 1;
    static constexpr std::uint64_t one_less_waits = (std::uint64_t{1} << 32) - 1;

    PoolView view_;
    const std::uint32_t most_failures_;
    MapJob* job_ = nullptr;
    std::atomic<std::uint64_t> waiting_{0};
    std::map<std::uint64_t, RetriedItem> items_;
    std::vector<std::pair<RetriedItem::Clock::time_point, std::uint64_t>> due_; // a heap, the earliest first
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>

#include <algorithm>
#include <functional>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void RetriedItems::free_tapes() noexcept {
    for (auto& [item, retried] : items_) free_tape(retried.tape);
}

MULTIPROCESSING_INLINE std::uint32_t RetriedItems::failures_of(std::uint64_t item) const noexcept {
    const RetriedItem* const retried = find(item);
    return retried ? retried->failures : 0;
}

MULTIPROCESSING_INLINE RetriedItem* RetriedItems::prepare(std::uint64_t item) {
    if (failures_of(item) >= most_failures_) return nullptr;
    due_.reserve(due_.size() + 1); // so that wait() cannot fail
    return &items_[item];
}

MULTIPROCESSING_INLINE RetriedItem::Clock::time_point RetriedItems::wait(std::uint64_t item,
                                                                         RetriedItem& retried) noexcept {
    retried.spare.reset();
    retried.due = RetriedItem::Clock::now() + retry_delay(++retried.failures);
    due_.emplace_back(*retried.due, item);
    std::push_heap(due_.begin(), due_.end(), std::greater<>{});
    waiting_.fetch_add(one_more_waits, std::memory_order_seq_cst);
    return *retried.due;
}

MULTIPROCESSING_INLINE std::uint32_t
RetriedItems::publish_due(std::optional<RetriedItem::Clock::time_point>& next) {
    std::uint32_t published = 0;
    const RetriedItem::Clock::time_point now = RetriedItem::Clock::now();
    for (; !due_.empty(); ++published) {
        const auto [due, item] = due_.front();
        const std::optional<std::uint64_t> spare = due <= now ? free_spare() : std::nullopt;
        if (!spare) {
            // Not yet; or all of them are in use, and end some time.
            const auto later = due <= now ? now + std::chrono::milliseconds{10} : due;
            next = next ? (std::min)(*next, later) : later;
            break;
        }
        std::pop_heap(due_.begin(), due_.end(), std::greater<>{});
        due_.pop_back();
        publish(*spare, item, items_.find(item)->second);
    }
    return published;
}

MULTIPROCESSING_INLINE void RetriedItems::drop_waiting() noexcept {
    for (const auto& [due, item] : due_) {
        RetriedItem& retried = items_.find(item)->second;
        retried.due.reset();
        retried.is_lost = true;
        waiting_.fetch_add(one_less_waits, std::memory_order_seq_cst);
    }
    due_.clear();
}

MULTIPROCESSING_INLINE const RetriedItem* RetriedItems::find(std::uint64_t item) const noexcept {
    const auto found = items_.find(item);
    return found == items_.end() ? nullptr : &found->second;
}

MULTIPROCESSING_INLINE bool RetriedItems::refers_to(Position block) const {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const auto& entry) { return tape_refers_to(entry.second.tape, block); });
}

MULTIPROCESSING_INLINE std::uint64_t RetriedItems::running() const noexcept {
    std::uint64_t count = 0;
    for (std::uint64_t i = job_->chunk_count; i < job_->all_chunks(); ++i) {
        const TaskWord word = chunk(i).cell.load();
        count += word.state != TaskState::free && !is_over(word);
    }
    return count;
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> RetriedItems::free_spare() noexcept {
    for (std::uint64_t i = job_->chunk_count; i < job_->all_chunks(); ++i) {
        ItemizedChunk& spare = chunk(i);
        const TaskWord word = spare.cell.load();
        if (word.state == TaskState::free) return i;
        if (!is_over(word)) continue;
        // What came of the item that had it is kept. A reader may hold a record of the tape, whose
        // segments stay where they are.
        if (const auto had = items_.find(spare.first); had != items_.end() && had->second.spare == i) {
            had->second.is_lost = spare.item() <= spare.first;
            had->second.tape.store(spare.tape.exchange(0, std::memory_order_relaxed),
                                   std::memory_order_relaxed);
            had->second.spare.reset();
        }
        free_tape(spare.tape);
        spare.cell.recycle();
        return i;
    }
    return std::nullopt;
}

MULTIPROCESSING_INLINE void RetriedItems::publish(std::uint64_t index, std::uint64_t item,
                                                  RetriedItem& retried) noexcept {
    ItemizedChunk& spare = chunk(index);
    spare.begin.store(item, std::memory_order_relaxed);
    spare.end = item + 1;
    spare.first = item;
    spare.attempt = retried.failures + 1;
    spare.progress.store(ItemizedChunk::at(item, false), std::memory_order_relaxed);
    job_->unfinished.fetch_add(1, std::memory_order_acq_rel);
    retried.spare = index;
    retried.due.reset();
    spare.cell.publish(spare.cell.load());
    waiting_.fetch_add(one_less_waits, std::memory_order_seq_cst); // after: it is always in one of both
    if (job_->cursor.load(std::memory_order_relaxed) > index)
        job_->cursor.store(index, std::memory_order_relaxed);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
