#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file current_task.hpp  current_task(): what the code of a task can ask about itself.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/task_context.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace multiprocessing::inline v1 {

/// The task that a worker process of a Pool or ProcessPoolExecutor is at; see current_task().
/// Python has no such thing.
class CurrentTask {
public:
    /// Returns the index of the item in the input of a map; 0 for a single task. In a map without
    /// limits, retries and the like, whose items take less than 100 ns each, it is right if one of
    /// the first sixteen items of the worker has asked for it; otherwise it may be that of an item
    /// up to 63 before.
    std::size_t index() const noexcept { return context_->index(); }
    /// Returns which attempt this is, from 1 on: more than 1 only where `.retries` are allowed.
    int attempt() const noexcept { return context_->attempt(); }
    /// Returns when the time limit ends; nullopt without one. For an item of a map it is counted
    /// from the first call of this function for that item, which may be later than its begin.
    std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept {
        return context_->deadline();
    }
    /// Tells the progress of the map that so much of this item is done: 0 to 1. What is beyond is
    /// cut off. Does nothing in a single task. Costs a few nanoseconds.
    void progress(double part) const noexcept { context_->note_part(part); }
    /// Returns the number of the worker in its pool: 0 ... workers - 1. A replacement has its
    /// predecessor's.
    int worker() const noexcept { return context_->worker(); }

private:
    friend CurrentTask current_task();
    explicit CurrentTask(detail::TaskContext& context) : context_(&context) {}

    detail::TaskContext* context_;
};

/// Returns whether this process is a worker that runs a task.
bool in_task() noexcept;

/// Returns the task that this process is at, or, of tasks that run in the caller, this thread.
/// Throws `std::logic_error` outside of one. Tasks of a ThreadPool or ThreadPoolExecutor are none.
CurrentTask current_task();

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <stdexcept>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE bool in_task() noexcept { return detail::TaskContext::here().is_entered(); }

MULTIPROCESSING_INLINE CurrentTask current_task() {
    if (!in_task())
        throw std::logic_error("multiprocessing: current_task() outside of a task: it is for functions that a "
                               "worker process of a pool calls; in_task() asks");
    return CurrentTask(detail::TaskContext::here());
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
