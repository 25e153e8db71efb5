#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file policed_works.hpp  Which works the supervisor has to look at while they run: those with
/// limits, and maps that end with their first failure.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/pool/work_slots.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// How often the supervisor has to look at what runs.
enum class Looks : std::uint8_t {
    none,  ///< There is nothing to look at.
    slow,  ///< What has a limit of memory only: it takes time to grow.
    quick, ///< A limit of time, or the first failure of a map, is to be seen within milliseconds.
};

/// Works of which somebody asks only whether one of them has not ended.
class UnendedWorks {
public:
    /// Returns whether nobody asks any more.
    bool add(const SlotUse& use, const WorkSlots& work_slots);
    /// Whether there is one. If not, the next add() says so.
    bool any(const WorkSlots& work_slots) noexcept;

private:
    static constexpr std::size_t fewest = 64;

    std::deque<SlotUse> works_;         // in order; the first has not ended
    std::size_t next_weeding_ = fewest; // at this size those in the middle that have ended are taken out
    bool is_asked_for_ = false;
};

/// The table's mutex is held.
class PolicedWorks {
public:
    /// From now on all work is one, whatever its own limits.
    void take_all() noexcept { takes_all_ = true; }
    /// The work is about to be announced. Returns whether the supervisor has to be told that there
    /// is something to look at. (One that is not announced in the end has never begun, and counts
    /// as ended.)
    bool add(const Work& work, const WorkSlots& work_slots);
    /// Whether there is anything to look at, and how often. If more is needed, add() will tell.
    Looks needed(const WorkSlots& work_slots) noexcept;
    /// Ends the maps that have failed. Adds the workers that are to be killed to `owners`, and
    /// those maps to `ended`.
    void end_failed(const WorkSlots& work_slots, std::uint32_t workers, std::vector<Incarnation>& owners,
                    std::vector<std::shared_ptr<Work>>& ended);

private:
    UnendedWorks all_;
    UnendedWorks quick_;             // of these, what needs quick looks
    std::vector<SlotUse> fail_fast_; // of these, maps that end with the first failure
    bool takes_all_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool UnendedWorks::add(const SlotUse& use, const WorkSlots& work_slots) {
    // Behind one that takes an hour a million may end. Each weeding halves them or lets the size
    // double, so that an add costs one look on average.
    if (works_.size() >= next_weeding_) {
        std::erase_if(works_, [&](const SlotUse& work) { return !work_slots.live(work); });
        next_weeding_ = (std::max)(fewest, works_.size() * 2);
    }
    works_.push_back(use);
    return !std::exchange(is_asked_for_, true);
}

MULTIPROCESSING_INLINE bool UnendedWorks::any(const WorkSlots& work_slots) noexcept {
    while (!works_.empty() && !work_slots.live(works_.front())) works_.pop_front();
    if (works_.empty()) is_asked_for_ = false;
    return is_asked_for_;
}

MULTIPROCESSING_INLINE bool PolicedWorks::add(const Work& work, const WorkSlots& work_slots) {
    if (!takes_all_ && !work.policy.is_watched()) return false;
    const SlotUse use{work.slot, work.generation};
    if (work.policy.fail_fast) fail_fast_.push_back(use);
    // In this order: if the second throws, slow looks are made already or will be told to begin.
    const bool is_quicker = work.policy.is_watched_closely() && quick_.add(use, work_slots);
    const bool is_first = all_.add(use, work_slots);
    return is_quicker || is_first;
}

MULTIPROCESSING_INLINE Looks PolicedWorks::needed(const WorkSlots& work_slots) noexcept {
    const bool is_quick = quick_.any(work_slots);
    if (!all_.any(work_slots)) return Looks::none;
    return is_quick ? Looks::quick : Looks::slow;
}

MULTIPROCESSING_INLINE void PolicedWorks::end_failed(const WorkSlots& work_slots, std::uint32_t workers,
                                                     std::vector<Incarnation>& owners,
                                                     std::vector<std::shared_ptr<Work>>& ended) {
    if (fail_fast_.empty()) return;
    owners.reserve(owners.size() + std::size_t{workers} * fail_fast_.size());
    ended.reserve(fail_fast_.size());
    std::size_t kept = 0;
    for (const SlotUse& use : fail_fast_) {
        Work* const work = work_slots.live(use);
        if (!work) continue;
        if (work->end_if_failed(owners)) ended.push_back(work_slots.at(use.slot));
        fail_fast_[kept++] = use;
    }
    fail_fast_.resize(kept);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
