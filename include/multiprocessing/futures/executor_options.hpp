#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file executor_options.hpp  The options of a ProcessPoolExecutor, and its error.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures/future.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::futures {

/// A worker process of an executor ended before the call that it ran. Python:
/// `concurrent.futures.process.BrokenProcessPool`, which says nothing about the worker.
class MULTIPROCESSING_VISIBLE BrokenProcessPool : public BrokenExecutor, public WorkerFault {
public:
    /// No single worker was the cause: all that is told of one is 0, or empty.
    explicit BrokenProcessPool(const std::string& text) : BrokenExecutor(text), WorkerFault({}) {}
    explicit BrokenProcessPool(const WorkerLostError& loss)
        : BrokenExecutor(loss.what()), WorkerFault(loss.end()) {}
};

/// The options of a ProcessPoolExecutor. Those that PoolOptions has as well mean the same there,
/// and are not there yet in the same cases.
struct ExecutorOptions {
    Count max_workers = {};                       ///< Default: process_cpu_count().
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method(). Python: `mp_context`.
    Count max_tasks_per_child = {}; ///< Calls of a worker until it is replaced. Default: no limit.
    /// The loss of a worker breaks the executor, as in Python. Otherwise it costs the call that the
    /// worker ran.
    bool break_on_worker_loss = false;
    Timeout idle_timeout = no_timeout; ///< A worker that has had no work for this long ends.
    std::optional<Timeout> timeout = {};
    std::optional<Count> retries = {};
    std::size_t memory_limit = {};
    std::size_t recycle_memory = {};
    bool run_inline = false;
    /// As in PoolOptions; not of oneTBB: make a `tbb::global_control` in the initializer.
    Count threads_per_worker = {};
    std::vector<std::vector<int>> cpu_affinity = {};
    Environment env = {};
    std::function<Environment(int worker)> worker_env = {};
    std::optional<std::filesystem::path> cwd = {};
    std::filesystem::path trace = {};
    CaptureOutput capture_output = {};
};

/// The options of `shutdown()`.
struct ShutdownOptions {
    bool wait = true;             ///< Returns when all calls and callbacks have ended.
    bool cancel_futures = false;  ///< Calls that have not begun are taken back.
    Timeout timeout = no_timeout; ///< How long to wait.
};

} // namespace multiprocessing::inline v1::futures
