#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pool.hpp  Pool: worker processes that apply functions to items.

#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/by_processes.hpp>
#include <multiprocessing/detail/pool/map_input.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/worker_pool.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/basic_pool.hpp>
#include <multiprocessing/pool/current_task.hpp> // for current_task
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/remote_exceptions.hpp> // for register_exception
#include <multiprocessing/start_method.hpp>

#include <ranges>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

struct PoolOfProcesses : ByProcesses {
    static constexpr const char* object = "this Pool";

    static WorkerPoolRequest request_of(PoolOptions& options);
};

} // namespace detail

/// A set of worker processes that carry out calls.
///
/// A worker that dies is replaced. Only the call, or the item, that it was working on is lost, and
/// throws WorkerLostError. Any thread may submit work and wait for results; one thread makes,
/// closes and destroys the pool. A task must not touch descriptors or memory that it was not given:
/// a pool is no sandbox.
///
/// What a task has started ends with its worker, unless it has detached itself. POSIX: by a double
/// fork, or a session of its own; and it stays where somebody else kills the worker, or the worker
/// calls `_exit`, as the system has forgotten then whose child it was.
///
/// Its functions are those of pool::BasicPool. Python: `multiprocessing.Pool`.
class Pool : public pool::BasicPool<detail::PoolOfProcesses> {
    using Kind = detail::PoolOfProcesses;

public:
    using BasicPool::BasicPool;

    /// Does the same as map(), but the workers write the results into `results`, a shared_vector of
    /// the function's results, which is resized to the number of items first. `results` may be
    /// `range` itself. Throws as map() does; the elements of items that failed or were lost are
    /// unchanged then. Python: the parameter `out` of numpy's functions.
    template <class Function, std::ranges::input_range Range, detail::InPlace Results>
    void map_into(Function&& function, Range&& range, Results& results, MapOptions options = {}) {
        if constexpr (!Kind::Map<Function, Range>::ok) {
            detail::refuse<Kind::Map<Function, Range>::refusal()>();
        } else {
            using Types = typename Kind::Map<Function, Range>::Types;
            constexpr bool fits = std::is_same_v<typename Types::R, typename Results::value_type>;
            static_assert(fits,
                          "map_into writes what the function returns: the results must be a shared_vector of "
                          "that very type");
            if constexpr (fits) {
                detail::async_result(
                    Kind::submit_map<Types>(workers(), function, std::forward<Range>(range), options, &results))
                    .get();
            }
        }
    }
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE WorkerPoolRequest PoolOfProcesses::request_of(PoolOptions& options) {
    validate(options);
    WorkerPoolRequest request;
    request.processes = options.processes.value();
    request.most_tasks = options.maxtasksperchild.value();
    set_common(request, options);
    return request;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
