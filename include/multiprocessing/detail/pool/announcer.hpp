#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file announcer.hpp  How a pool's parent announces work to its workers: in rings, one for each
/// level of priority, and in backlogs where those are full.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/lists.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/task_cell.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// The parent's side of the rings. The table's mutex is held.
class Announcer {
public:
    explicit Announcer(const PoolView& view) : view_(view) {}

    /// The next `count` announcements of that level cannot fail.
    void reserve(std::size_t level, std::size_t count);
    /// The same, of each level that has announced anything so far.
    void reserve_all(std::size_t count);
    /// Announces in order. False if the ticket has to wait for room, until drain().
    bool push(const TaskTicket& ticket, std::size_t level) noexcept;
    bool has_backlog() const noexcept;
    /// Announces what waits, as far as there is room. Returns how much that was.
    std::uint32_t drain() noexcept;
    /// What waits is not announced any more.
    void clear() noexcept;

private:
    const PoolView& view_;
    std::array<Block, priority_levels> rings_; // made when there is something for them
    std::array<Backlog, priority_levels> backlogs_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <atomic>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void Announcer::reserve(std::size_t level, std::size_t count) {
    backlogs_[level].reserve(count);
    if (view_.ring(level)) return;
    rings_[level] = Block{tree().heap.allocate(sizeof(TaskRing))};
    view_.space().at<TaskRing>(rings_[level].position()).reset();
    view_.shared().rings[level].store(rings_[level].position(), std::memory_order_release);
}

MULTIPROCESSING_INLINE void Announcer::reserve_all(std::size_t count) {
    for (std::size_t level = 0; level < priority_levels; ++level) {
        if (view_.ring(level)) backlogs_[level].reserve(count);
    }
}

MULTIPROCESSING_INLINE bool Announcer::push(const TaskTicket& ticket, std::size_t level) noexcept {
    Backlog& backlog = backlogs_[level];
    if (backlog.empty() && view_.ring(level)->push(ticket)) return true;
    backlog.push(ticket);
    return false;
}

MULTIPROCESSING_INLINE bool Announcer::has_backlog() const noexcept {
    return std::any_of(backlogs_.begin(), backlogs_.end(),
                       [](const Backlog& backlog) { return !backlog.empty(); });
}

MULTIPROCESSING_INLINE std::uint32_t Announcer::drain() noexcept {
    std::uint32_t pushed = 0;
    for (std::size_t level = 0; level < priority_levels; ++level) {
        Backlog& backlog = backlogs_[level];
        for (; !backlog.empty() && view_.ring(level)->push(backlog.front()); ++pushed) backlog.pop();
    }
    return pushed;
}

MULTIPROCESSING_INLINE void Announcer::clear() noexcept {
    for (Backlog& backlog : backlogs_) backlog.clear();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
