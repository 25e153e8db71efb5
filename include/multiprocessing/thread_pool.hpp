#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread_pool.hpp  ThreadPool and ThreadPoolExecutor: Pool and ProcessPoolExecutor on
/// threads of this process.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/thread_pool/by_threads.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/basic_executor.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/pool/basic_pool.hpp>
#include <multiprocessing/pool/options.hpp>

namespace multiprocessing::inline v1 {

namespace detail {

struct PoolOfThreads : ByThreads {
    static constexpr const char* object = "this ThreadPool";

    static CrewRequest request_of(const PoolOptions& options);
};

struct ExecutorOfThreads : ByThreads {
    static constexpr const char* object = "this ThreadPoolExecutor";

    static CrewRequest request_of(const futures::ExecutorOptions& options);
};

} // namespace detail

namespace pool {

/// A set of threads that carry out calls: Pool, with its interface, on threads of this process.
///
/// Takes whatever can be invoked, also lambdas with captures and `std::function`; arguments and
/// items are copied or moved, and need not be Serializable. All threads call the same function
/// object, and a copy of the initializer each. What a task throws is the very object that the
/// caller catches. Each thread takes one item after the other: `.chunksize` means nothing.
/// terminate() gives up what waits, and does not end what runs; nor does the time limit or kill()
/// of a Pool exist here: kill() is cancel(), and options that end or shape a process throw
/// `std::invalid_argument`. The destructor waits for what runs. A task that waits for another one
/// of the same pool occupies its thread meanwhile.
///
/// Its functions are those of BasicPool. Python: `multiprocessing.pool.ThreadPool`.
class ThreadPool : public BasicPool<detail::PoolOfThreads> {
public:
    using BasicPool::BasicPool;
};

} // namespace pool

namespace futures {

/// Threads that carry out calls, each with a Future: ProcessPoolExecutor, with its interface, on
/// threads of this process; see pool::ThreadPool for what is different there. Threads start when
/// there is work and none that is idle. The destructor waits for all calls, as leaving `with` does;
/// at the normal end of the program those of executors that still live are waited for as well.
///
/// Its functions are those of BasicExecutor. Python: `concurrent.futures.ThreadPoolExecutor`.
class ThreadPoolExecutor : public BasicExecutor<detail::ExecutorOfThreads> {
public:
    using BasicExecutor::BasicExecutor;
};

static_assert(Executor<ThreadPoolExecutor>);

} // namespace futures

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/resources.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE CrewRequest PoolOfThreads::request_of(const PoolOptions& options) {
    refuse_process_options(options);
    const auto processors = static_cast<std::size_t>(platform::allowed_processors());
    return {.most = options.processes.value_or(processors),
            .names = "ThreadPool",
            .refusal = pool_refusal,
            .at_once = true};
}

MULTIPROCESSING_INLINE CrewRequest ExecutorOfThreads::request_of(const futures::ExecutorOptions& options) {
    static std::atomic<unsigned> executors{0};
    refuse_process_options(options);
    const auto processors = static_cast<std::size_t>(platform::allowed_processors());
    return {.most = options.max_workers.value_or((std::min)(std::size_t{32}, processors + 4)),
            .names = "ThreadPoolExecutor-" + std::to_string(executors++) + "_",
            .refusal = executor_refusal};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
