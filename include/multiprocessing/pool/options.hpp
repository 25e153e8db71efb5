#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  The options of a Pool, of a map, and of a task.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// What the destructor of a Pool does with work that is not finished.
enum class OnExit {
    terminate, ///< Ends the workers; waiting calls throw CancelledError. Python: `with Pool()`.
    join,      ///< Finishes the work: close() and join().
};

/// How urgent work is. A worker looks for higher work between two tasks, and between two chunks of
/// a map, with which it then goes on. While lower work waits, one of 16 turns is that of the next
/// lower level, so that none waits forever.
enum class Priority { low, normal, high };

/// What becomes of what workers print: it goes where the program's own output goes (false), or,
/// line by line, to the log (true) or to a function.
class CaptureOutput {
public:
    CaptureOutput() = default;
    template <std::same_as<bool> Flag> // not from pointers
    CaptureOutput(Flag to_log) : wanted_(to_log) {}
    template <std::invocable<int, std::string_view> Function>
    CaptureOutput(Function function) : wanted_(true), function_(std::move(function)) {}

    bool wanted() const noexcept { return wanted_; }
    const std::function<void(int worker, std::string_view line)>& function() const noexcept {
        return function_;
    }

private:
    bool wanted_ = false;
    std::function<void(int, std::string_view)> function_;
};

/// The options of a single task.
struct TaskOptions {
    /// Time limit, from when the task begins; its worker is ended beyond, and the result is
    /// TimeLimitExceeded. Default: the pool's; `no_timeout` is none.
    std::optional<Timeout> timeout = {};
    /// Further attempts when the worker was lost or ended for a limit; not after an exception, nor
    /// kill(). They wait 0.1 s, then twice as long each time, at most 10 s. Default: the pool's.
    std::optional<Count> retries = {};
    /// Bytes of memory of its own that the worker and its descendants may use; it is ended beyond,
    /// and the result is MemoryLimitExceeded. Default: the pool's.
    std::size_t memory_limit = {};
    Priority priority = Priority::normal;
};

/// The options of a map. Limits and retries are those of each item, as in TaskOptions: the worker
/// that is ended for one takes no other item with it.
struct MapOptions {
    Count chunksize = {}; ///< Items that a worker takes at once. Default: what is left / (2 x workers).
    std::optional<Timeout> timeout = {}; ///< Time limit of each item. Default: the pool's.
    Count buffersize = {};               ///< imap: items that are read ahead of the results that were taken.
    std::optional<Count> retries = {};   ///< Further attempts of an item after a loss. Default: the pool's.
    std::size_t memory_limit = {};       ///< Bytes. Default: the pool's.
    /// The first failure in time, its retries used up, is what the map throws; items that wait are
    /// cancelled, and workers at other items of this map ended. In try_map() and imap() what was
    /// finished keeps its outcome, and the rest is CancelledError.
    bool fail_fast = false;
    Priority priority = Priority::normal;
    Progress progress = {}; ///< Whether and how its progress is shown.
};

/// The options of a Pool. Not there yet, and `std::logic_error` where they are given: `trace`,
/// `capture_output`.
struct PoolOptions {
    Count processes = {};        ///< Number of workers. Default: process_cpu_count().
    Count maxtasksperchild = {}; ///< Tasks of a worker until it is replaced. Default: no limit.
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method().
    std::optional<Timeout> timeout = {};          ///< Time limit of each task, and of each item of a map.
    std::optional<Count> retries = {};            ///< Further attempts after a loss.
    std::size_t memory_limit = {};                ///< Bytes that a worker may use; it is killed beyond.
    /// Bytes beyond which a worker is replaced between tasks: another one starts, is initialized,
    /// and takes its place when it leaves.
    std::size_t recycle_memory = {};
    OnExit on_exit = OnExit::terminate;
    /// There are no workers: tasks run in the thread that submits them, and have ended when that
    /// returns; for debuggers, and where processes cannot be had. They cross as ever, but nothing
    /// can be limited, killed or tried again, and the environment and the directory are those of
    /// the program: options for all that are ignored, `env`, `worker_env` and `cwd` with a warning.
    /// `MULTIPROCESSING_INLINE=1` in the environment does the same.
    bool run_inline = false;
    /// Threads of numeric libraries in each worker: of OpenMP, OpenBLAS, MKL, BLIS, Accelerate and
    /// numexpr, by their variables, but for those that `env` sets. The first four are also told
    /// if they are loaded already. Not of oneTBB, which has no such variable: make a
    /// `tbb::global_control` in the initializer.
    Count threads_per_worker = {};
    std::vector<std::vector<int>> cpu_affinity = {};        ///< CPUs of worker 0, 1, ...; reused in turn.
    Environment env = {};                                   ///< What is different in the workers' environment.
    std::function<Environment(int worker)> worker_env = {}; ///< The same for each worker, on top of `env`.
    /// The directory in which the workers work. `std::system_error` where the pool is made if there
    /// is none. Default: that of the program, as it is when a worker starts.
    std::optional<std::filesystem::path> cwd = {};
    std::filesystem::path trace = {}; ///< A file for events.
    CaptureOutput capture_output = {};
};

namespace detail {

/// Calls `look(is_given, name)` for each option of a pool that does nothing yet.
template <class Options, class Look>
void look_at_missing(const Options& options, Look look) {
    look(!options.trace.empty(), "trace");
    look(options.capture_output.wanted(), "capture_output");
}

/// The same for each option that limits or watches a process.
template <class Options, class Look>
void look_at_limits(const Options& options, Look look) {
    look(options.timeout && options.timeout->span(), "timeout");
    look(options.retries && options.retries->value() != 0, "retries");
    look(options.memory_limit != 0, "memory_limit");
    if constexpr (requires { options.recycle_memory; }) {
        look(options.recycle_memory != 0, "recycle_memory");
        look(options.threads_per_worker.value() != 0, "threads_per_worker");
        look(!options.cpu_affinity.empty(), "cpu_affinity");
        look(options.run_inline, "run_inline");
        look_at_missing(options, look);
    }
}

/// The same for each further option that says how processes are, or how long they live.
template <class Options, class Look>
void look_at_processes(const Options& options, Look look) {
    if constexpr (requires { options.maxtasksperchild; })
        look(options.maxtasksperchild.value() != 0, "maxtasksperchild");
    if constexpr (requires { options.max_tasks_per_child; }) {
        look(options.max_tasks_per_child.value() != 0, "max_tasks_per_child");
        look(options.break_on_worker_loss, "break_on_worker_loss");
        look(options.idle_timeout.span().has_value(), "idle_timeout");
    }
    if constexpr (requires { options.start_method; }) {
        look(options.start_method.has_value(), "start_method");
        look(!options.env.empty(), "env");
        look(options.worker_env != nullptr, "worker_env");
        look(options.cwd.has_value(), "cwd");
    }
}

/// Throws for an option that does nothing yet: it would be missed where it matters.
MULTIPROCESSING_INLINE void require_unset(bool is_given, const char* option);
/// Throws for limits that no task could keep.
MULTIPROCESSING_INLINE void require_limits(const std::optional<Timeout>& timeout,
                                           const std::optional<Count>& retries);
/// Throws where the system does not tell how much memory a process has.
MULTIPROCESSING_INLINE void require_memory_figures();
/// Of a task, a map, a pool or an executor.
template <class Options>
void validate(const Options& options) {
    require_limits(options.timeout, options.retries);
    bool watches_memory = options.memory_limit != 0;
    if constexpr (requires { options.recycle_memory; }) watches_memory |= options.recycle_memory != 0;
    if (watches_memory) require_memory_figures();
    if constexpr (requires { options.recycle_memory; }) look_at_missing(options, require_unset);
    if constexpr (requires { options.env; }) check_environment(options.env);
}

/// What of `pool` the options leave as it is.
template <class Options>
TaskPolicy policy_of(const Options& options, const TaskPolicy& pool = {}) {
    TaskPolicy policy = pool;
    if (options.timeout) policy.time_limit = options.timeout->span().value_or(std::chrono::nanoseconds{0});
    if (options.retries) policy.retries = static_cast<std::uint32_t>(options.retries->value());
    if (options.memory_limit) policy.memory_limit = options.memory_limit;
    if constexpr (requires { options.fail_fast; }) policy.fail_fast = options.fail_fast;
    if constexpr (requires { options.priority; }) policy.level = static_cast<std::uint8_t>(options.priority);
    return policy;
}

} // namespace detail

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/process_memory.hpp>

#include <stdexcept>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void require_unset(bool is_given, const char* option) {
    if (is_given)
        throw std::logic_error(std::string("multiprocessing: the option .") + option + " is not there yet");
}

MULTIPROCESSING_INLINE void require_limits(const std::optional<Timeout>& timeout,
                                           const std::optional<Count>& retries) {
    if (timeout && timeout->span() == std::chrono::nanoseconds{0})
        throw std::invalid_argument("multiprocessing: a .timeout of 0 would end every task before it can do "
                                    "anything; mp::no_timeout is none");
    constexpr std::size_t most_retries = 1'000'000;
    if (retries && retries->value() > most_retries)
        throw std::invalid_argument("multiprocessing: .retries of " + std::to_string(retries->value()) +
                                    " are more than the " + std::to_string(most_retries) +
                                    " that are possible");
}

MULTIPROCESSING_INLINE void require_memory_figures() {
    static const bool are_there = platform::estimate_memory(platform::current_pid()).has_value();
    if (!are_there)
        throw std::runtime_error(
            "multiprocessing: .memory_limit and .recycle_memory cannot be kept here, as this "
            "process does not see how much memory its workers have: mount /proc");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
