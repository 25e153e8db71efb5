#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reusable_executor.hpp  reusable_executor(): one executor for all parts of a program.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/process_executor.hpp>

#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The executor of the process that reusable_executor() returns, and those that it was before, as
/// references to them may be around.
class ReusableExecutor : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::executors;

    futures::ProcessPoolExecutor& get(futures::ExecutorOptions options);

private:
    static bool is_usable(const futures::ProcessPoolExecutor& executor,
                          const futures::ExecutorOptions& options);

    std::vector<std::unique_ptr<futures::ProcessPoolExecutor>> executors_;
};

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// Returns the executor of this process that any part of the program may use, as making one costs
/// processes. It is made at the first call, and replaced, by `options`, where it is broken or was
/// shut down, or where another number of workers is asked for; the one before then finishes its
/// work. References to it stay valid. At the normal end of the program its work is finished.
///
/// Python: loky's `get_reusable_executor`.
MULTIPROCESSING_INLINE ProcessPoolExecutor& reusable_executor(ExecutorOptions options = {});

} // namespace multiprocessing::inline v1::futures

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/pool/worker_pool.hpp>

#include <cstddef>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE futures::ProcessPoolExecutor& ReusableExecutor::get(futures::ExecutorOptions options) {
    const auto last = [&] {
        const bool fits = !executors_.empty() && is_usable(*executors_.back(), options);
        return fits ? executors_.back().get() : nullptr;
    };
    {
        std::lock_guard lock{mutex};
        if (auto* const executor = last()) return *executor;
    }
    // Not under the mutex, which every fork takes: who forks holds the mutex of the starts, and
    // making an executor takes that one.
    auto next = std::make_unique<futures::ProcessPoolExecutor>(options);
    futures::ProcessPoolExecutor& made = *next;
    futures::ProcessPoolExecutor* before = nullptr;
    {
        std::lock_guard lock{mutex};
        if (auto* const executor = last()) return *executor; // another thread was faster
        if (!executors_.empty()) before = executors_.back().get();
        executors_.push_back(std::move(next));
    }
    // What the one before has to do it finishes.
    if (before && before->workers_->origin().is_here()) before->workers_->close();
    return made;
}

MULTIPROCESSING_INLINE bool ReusableExecutor::is_usable(const futures::ProcessPoolExecutor& executor,
                                                        const futures::ExecutorOptions& options) {
    const WorkerPool& pool = *executor.workers_;
    if (!pool.origin().is_here() || pool.table().is_closed()) return false;
    const std::size_t wanted = options.max_workers.value();
    return wanted == 0 || wanted == pool.table().workers();
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

MULTIPROCESSING_INLINE ProcessPoolExecutor& reusable_executor(ExecutorOptions options) {
    return detail::process_wide<detail::ReusableExecutor>().get(std::move(options));
}

} // namespace multiprocessing::inline v1::futures

#endif // MULTIPROCESSING_BODIES
