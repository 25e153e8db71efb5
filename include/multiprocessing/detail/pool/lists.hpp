#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lists.hpp  What a pool keeps in lists beside its slots: announcements, works to be
/// discarded or ended, leases.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/task_cell.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/shared_object/leases.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Announcements that wait for room in the ring, in order. A push fails only for want of memory,
/// and reserve() says so before.
class Backlog {
public:
    bool empty() const noexcept { return first_ == tickets_.size(); }
    TaskTicket front() const noexcept;
    void pop() noexcept;
    void clear() noexcept;
    /// The next `count` pushes cannot fail.
    void reserve(std::size_t count);
    void push(TaskTicket ticket) noexcept { tickets_.push_back(ticket); }

private:
    std::vector<TaskTicket> tickets_;
    std::size_t first_ = 0;
};

/// Works that have ended and that nobody will read: found under the core's mutex, discarded without
/// it, as that calls sinks of the log and makes exceptions of the program's types.
class DroppedWorks {
public:
    bool empty() const noexcept { return !first_; }
    void add(Work& work) noexcept { work.next_dropped = std::exchange(first_, &work); }
    /// Calls `visit(work)` for each; what it does to the work's slot does not matter.
    template <class Visit>
    void for_each(Visit visit) const {
        for (Work *work = first_, *next; work; work = next) {
            next = work->next_dropped;
            visit(*work);
        }
    }

private:
    Work* first_ = nullptr;
};

/// Ends works at the end of a scope that holds no mutex: with them end exceptions and objects of
/// the program's types.
class EndingWorks {
public:
    EndingWorks() = default;
    EndingWorks(const EndingWorks&) = delete;
    EndingWorks& operator=(const EndingWorks&) = delete;
    ~EndingWorks();
    void add(std::shared_ptr<Work> work) noexcept;

private:
    std::shared_ptr<Work> first_;
};

/// Names the holder of the leases of what workers kept beyond their tasks, for the pool and all
/// that its workers leave: the leases end when the last of these has gone.
class KeptLeases {
public:
    KeptLeases() = default;
    KeptLeases(const KeptLeases&) = delete;
    KeptLeases& operator=(const KeptLeases&) = delete;
    ~KeptLeases();

    const std::uint64_t holder = leases().new_holder();

private:
    const ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>

#include <algorithm>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE TaskTicket Backlog::front() const noexcept { return tickets_[first_]; }

MULTIPROCESSING_INLINE void Backlog::pop() noexcept {
    if (++first_ == tickets_.size()) clear();
}

MULTIPROCESSING_INLINE void Backlog::clear() noexcept {
    tickets_.clear();
    first_ = 0;
}

MULTIPROCESSING_INLINE void Backlog::reserve(std::size_t count) {
    if (tickets_.capacity() - tickets_.size() >= count) return;
    if (first_ > tickets_.size() / 2) { // else moving them would cost more than it gains
        tickets_.erase(tickets_.begin(), tickets_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    if (tickets_.capacity() - tickets_.size() < count)
        tickets_.reserve((std::max)(tickets_.size() + count, 2 * tickets_.size()));
}

MULTIPROCESSING_INLINE EndingWorks::~EndingWorks() {
    require_no_mutex();
    while (first_) first_ = std::exchange(first_->next_to_end, nullptr);
}

MULTIPROCESSING_INLINE void EndingWorks::add(std::shared_ptr<Work> work) noexcept {
    work->next_to_end = std::move(first_);
    first_ = std::move(work);
}

MULTIPROCESSING_INLINE KeptLeases::~KeptLeases() {
    if (origin_.is_here()) leases().end(holder);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
