#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file policed_works.hpp  Which works the supervisor has to look at while they run: those with
/// limits, and maps that end with their first failure.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/pool/work_slots.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The table's mutex is held.
class PolicedWorks {
public:
    /// From now on all work is one, whatever its own limits.
    void take_all() noexcept { takes_all_ = true; }
    /// The work is about to be announced. Returns whether the supervisor has to be told that there
    /// is something to look at. (One that is not announced in the end has never begun, and counts
    /// as ended.)
    bool add(const Work& work);
    /// Whether there is anything to look at. If not, add() will tell.
    bool any(const WorkSlots& work_slots);
    /// Ends the maps that have failed. Adds the workers that are to be killed to `owners`, and
    /// those maps to `ended`.
    void end_failed(const WorkSlots& work_slots, std::uint32_t workers, std::vector<Incarnation>& owners,
                    std::vector<std::shared_ptr<Work>>& ended);

private:
    std::deque<SlotUse> works_;      // in order; the first has not ended
    std::vector<SlotUse> fail_fast_; // of these, maps that end with the first failure
    bool takes_all_ = false;
    bool is_looked_at_ = false; // the supervisor comes by itself
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <cstddef>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool PolicedWorks::add(const Work& work) {
    if (!takes_all_ && !work.policy.is_watched()) return false;
    works_.push_back({work.slot, work.generation});
    if (work.policy.fail_fast) fail_fast_.push_back(works_.back());
    return !std::exchange(is_looked_at_, true);
}

MULTIPROCESSING_INLINE bool PolicedWorks::any(const WorkSlots& work_slots) {
    while (!works_.empty() && !work_slots.live(works_.front())) works_.pop_front();
    if (works_.empty()) is_looked_at_ = false;
    return is_looked_at_;
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
