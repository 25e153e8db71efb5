#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_executor.hpp  ProcessPoolExecutor: worker processes that carry out calls, with
/// a Future for each. Python: `concurrent.futures.ProcessPoolExecutor`.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/by_processes.hpp>
#include <multiprocessing/detail/pool/supervisor.hpp>
#include <multiprocessing/detail/pool/worker_pool.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/basic_executor.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/pool/options.hpp>

namespace multiprocessing::inline v1::detail {

struct ExecutorOfProcesses : ByProcesses {
    static constexpr const char* object = "this ProcessPoolExecutor";

    static WorkerPoolRequest request_of(futures::ExecutorOptions& options);
};

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// Worker processes that carry out calls, each with a Future. Workers start when there is work and
/// none that is idle.
///
/// A call whose worker is lost has BrokenProcessPool as its exception; the others, and the
/// executor, are not concerned, unless `.break_on_worker_loss`. Any thread may submit. The
/// destructor waits for all calls, as leaving `with` does; at the normal end of the program those
/// of executors that still live are waited for as well.
///
/// Its functions are those of BasicExecutor. Python: `concurrent.futures.ProcessPoolExecutor`.
class ProcessPoolExecutor : public BasicExecutor<detail::ExecutorOfProcesses> {
public:
    using BasicExecutor::BasicExecutor;

    /// Takes no more calls, takes back those that have not begun, and ends the workers; those that
    /// ran have BrokenProcessPool as their exception. Does not wait. Python: `terminate_workers`.
    void terminate_workers();
    /// The same, by SIGKILL. Python: `kill_workers`.
    void kill_workers();

private:
    template <class End>
    void end_workers(End end) {
        detail::WorkerPool& pool = workers();
        pool.close();
        pool.cancel_waiting();
        end(pool);
    }
};

static_assert(Executor<ProcessPoolExecutor>);

} // namespace multiprocessing::inline v1::futures

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <exception>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE WorkerPoolRequest ExecutorOfProcesses::request_of(futures::ExecutorOptions& options) {
    validate(options);
    WorkerPoolRequest request;
    SupervisorPolicy& policy = request.policy;
    policy.on_demand = true;
    policy.idle_timeout = options.idle_timeout;
    policy.breaks_with_worker = options.break_on_worker_loss;
    policy.terminated = [] {
        return std::make_exception_ptr(futures::BrokenProcessPool(
            "multiprocessing: the workers of the executor were ended while a call ran"));
    };
    policy.loss = [](std::exception_ptr error) {
        try {
            std::rethrow_exception(error);
        } catch (const WorkerLostError& loss) {
            return std::make_exception_ptr(futures::BrokenProcessPool(loss));
        } catch (...) { return error; }
    };
    request.processes = options.max_workers.value();
    request.most_tasks = options.max_tasks_per_child.value();
    request.refusal = executor_refusal;
    set_common(request, options);
    return request;
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

MULTIPROCESSING_INLINE void ProcessPoolExecutor::terminate_workers() {
    end_workers([](detail::WorkerPool& pool) { pool.terminate(); });
}

MULTIPROCESSING_INLINE void ProcessPoolExecutor::kill_workers() {
    end_workers([](detail::WorkerPool& pool) { pool.kill(); });
}

} // namespace multiprocessing::inline v1::futures

#endif // MULTIPROCESSING_BODIES
