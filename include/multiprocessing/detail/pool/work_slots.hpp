#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work_slots.hpp  Which slot of a pool's table has which work, and when it can be given to
/// another.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/lists.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A slot while it is used for one work.
struct SlotUse {
    std::uint32_t slot;
    std::uint16_t generation;
};

/// The works of a pool, by slot. The table's mutex is held, but for count().
class WorkSlots {
public:
    explicit WorkSlots(const PoolView& view) : view_(view) {}

    bool is_full() const noexcept { return free_.empty(); }
    /// Makes more slots; throws `std::length_error` if there are too many.
    void grow();
    /// Gives a free slot, of which there is one, to the work that `make(slot)` returns.
    template <class Make>
    auto take(Make make) {
        const std::uint32_t slot = free_.back();
        TaskSlot& place = view_.slot(slot);
        auto work = make(place);
        work->slot = slot;
        work->generation = place.cell.load().generation;
        place.end_flags.store(0, std::memory_order_relaxed);
        free_.pop_back();
        works_[slot] = work;
        return work;
    }
    /// Takes a slot back that was never published.
    void put_back(const Work& work, EndingWorks& ending) noexcept;

    const std::vector<std::shared_ptr<Work>>& all() const noexcept { return works_; }
    const std::shared_ptr<Work>& at(std::uint32_t slot) const noexcept { return works_[slot]; }
    /// By a slot plus 1; null if there is none.
    Work* of(std::uint64_t slot) const noexcept;
    /// Null if the work has gone, or ended.
    Work* live(const SlotUse& use) const noexcept;
    /// Whether the work still has its slot, and keeps it for the moment.
    bool holds(const std::shared_ptr<Work>& work) const noexcept {
        return works_[work->slot] == work && !work->leaving;
    }
    bool is_published(const Work& work) const noexcept;
    std::size_t segments() const noexcept { return segments_.size(); }
    /// How many slots there are. Without the mutex.
    std::size_t count() const noexcept { return slots_.load(); }

    /// on_replacement() is to be called for it.
    void add_leasing(Work& work) noexcept;
    const std::vector<std::uint32_t>& leasing() const noexcept { return leasing_; }

    /// The slot is free, as soon as no worker can be looking at it.
    void free(Work& work, EndingWorks& ending) noexcept;
    /// Ends maps that are over, but for those whose memory a late helper may still be looking at.
    void drain(EndingWorks& ending) noexcept;
    /// Whether drain() has left any.
    bool has_late() const noexcept { return !limbo_.empty(); }
    /// No slot becomes free from here on: workers may read arguments and write results of what was
    /// given up.
    void hold_back() noexcept { holds_back_ = true; }
    /// The workers are gone.
    void free_held_back(EndingWorks& ending) noexcept;

private:
    const PoolView& view_;
    std::vector<Block> segments_;
    std::vector<std::uint32_t> free_;
    std::vector<std::shared_ptr<Work>> works_; // by slot
    std::atomic<std::size_t> slots_{0};
    std::vector<std::uint32_t> leasing_;   // slots of works that lease to each worker
    std::vector<std::uint32_t> limbo_;     // of maps that are over, see drain()
    std::vector<std::uint32_t> held_back_; // of works that were given up and read
    std::vector<std::uint64_t> promises_;  // of drain()
    bool holds_back_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void WorkSlots::grow() {
    const std::size_t index = segments_.size();
    if (index == PoolShared::most_segments) {
        throw std::length_error("multiprocessing: a pool has no room for more than 4,194,304 results that "
                                "were not read: get() or drop some first");
    }
    // Room for whatever is to be noted of a slot: freeing it cannot fail.
    const auto first = static_cast<std::uint32_t>(index * PoolShared::segment_slots);
    const std::size_t slot_count = first + PoolShared::segment_slots;
    works_.reserve((std::max)(slot_count, 2 * works_.size()));
    free_.reserve(works_.capacity());
    limbo_.reserve(works_.capacity());
    held_back_.reserve(works_.capacity());
    leasing_.reserve(works_.capacity());
    promises_.reserve(std::size_t{priority_levels} * view_.shared().line_count);
    segments_.emplace_back(tree().heap.allocate_zeroed(sizeof(SlotSegment)));
    view_.shared().segment[index].store(segments_.back().position(), std::memory_order_release);
    works_.resize(slot_count);
    slots_.store(slot_count);
    for (std::uint32_t i = PoolShared::segment_slots; i-- > 0;) free_.push_back(first + i);
}

MULTIPROCESSING_INLINE void WorkSlots::put_back(const Work& work, EndingWorks& ending) noexcept {
    free_.push_back(work.slot);
    ending.add(std::move(works_[work.slot]));
}

MULTIPROCESSING_INLINE Work* WorkSlots::of(std::uint64_t slot) const noexcept {
    return slot != 0 && slot <= works_.size() ? works_[static_cast<std::size_t>(slot - 1)].get() : nullptr;
}

MULTIPROCESSING_INLINE Work* WorkSlots::live(const SlotUse& use) const noexcept {
    Work* const work = works_[use.slot].get();
    const bool is_live =
        work && work->generation == use.generation && !work->leaving && is_published(*work) && !work->ended();
    return is_live ? work : nullptr;
}

MULTIPROCESSING_INLINE bool WorkSlots::is_published(const Work& work) const noexcept {
    return view_.slot(work.slot).cell.load().state != TaskState::free;
}

MULTIPROCESSING_INLINE void WorkSlots::add_leasing(Work& work) noexcept {
    leasing_.push_back(work.slot);
    work.place = static_cast<std::uint32_t>(leasing_.size() - 1);
}

MULTIPROCESSING_INLINE void WorkSlots::free(Work& work, EndingWorks& ending) noexcept {
    const std::uint32_t slot = work.slot;
    work.leaving = true;
    if (holds_back_) {
        held_back_.push_back(slot);
        return;
    }
    if (work.leases_to_workers()) {
        leasing_[work.place] = leasing_.back();
        works_[leasing_.back()]->place = work.place;
        leasing_.pop_back();
    }
    view_.slot(slot).cell.recycle();
    if (work.has_helpers()) {
        limbo_.push_back(slot);
    } else { // a worker that comes late finds another generation, and looks no further
        free_.push_back(slot);
        ending.add(std::move(works_[slot]));
    }
    drain(ending);
}

MULTIPROCESSING_INLINE void WorkSlots::drain(EndingWorks& ending) noexcept {
    if (limbo_.empty()) return;
    // The slot was recycled first; a worker that promises to hold on to this map after that
    // finds it over, and lets go.
    promises_.clear();
    for (std::uint32_t i = 0; i < view_.shared().line_count; ++i) {
        for (const auto& promise : view_.line(i).helping) {
            if (const std::uint64_t name = promise.load(std::memory_order_seq_cst)) promises_.push_back(name);
        }
    }
    std::sort(promises_.begin(), promises_.end());
    std::size_t kept = 0;
    for (const std::uint32_t slot : limbo_) {
        if (std::binary_search(promises_.begin(), promises_.end(), map_name(slot, works_[slot]->generation))) {
            limbo_[kept++] = slot;
        } else {
            free_.push_back(slot);
            ending.add(std::move(works_[slot]));
        }
    }
    limbo_.resize(kept);
}

MULTIPROCESSING_INLINE void WorkSlots::free_held_back(EndingWorks& ending) noexcept {
    holds_back_ = false;
    for (std::uint32_t i = 0; i < view_.shared().line_count; ++i) {
        for (auto& promise : view_.line(i).helping) promise.store(0, std::memory_order_seq_cst);
    }
    for (const std::uint32_t slot : held_back_) free(*works_[slot], ending);
    held_back_.clear();
    drain(ending);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
