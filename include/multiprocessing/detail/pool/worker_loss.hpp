#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_loss.hpp  How a worker ended, in words, and the error of what it was at.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/exceptions.hpp>

#include <exception>
#include <string>

namespace multiprocessing::inline v1::detail {

/// How a process ended, for people: "was killed by SIGSEGV", "ended with exit code 3"; and what it
/// had used.
MULTIPROCESSING_INLINE std::string describe_ending(const platform::Ending& ending);

/// Whether somebody ended it, by SIGKILL or SIGTERM, which have these numbers everywhere.
inline bool was_killed_from_outside(const platform::Ending& ending) noexcept {
    return ending.exitcode && (*ending.exitcode == -9 || *ending.exitcode == -15);
}

/// What happened to the task, to which worker, and what can be done: the text of its error. `name`:
/// the worker's.
MULTIPROCESSING_INLINE std::string describe_loss(const std::string& name, const WorkerEnd& end,
                                                 const TaskEnd& task);

/// What those get whose task, or item, a worker has taken with it. `number`: the worker's, in its
/// pool.
MULTIPROCESSING_INLINE std::exception_ptr loss_of_worker(const ChildProcess& process,
                                                         const platform::Ending& ending,
                                                         const std::string& trace, int number,
                                                         const TaskEnd& task);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/signals.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// The verb: "was killed by SIGSEGV", "ended with exit code 3".
MULTIPROCESSING_INLINE std::string describe_exit(const std::optional<int>& exitcode) {
    if (!exitcode) return "ended in an unknown way";
    if (*exitcode < 0) return "was killed by " + platform::signal_name(-*exitcode);
    return "ended with exit code " + std::to_string(*exitcode);
}

/// What it was, with the attempt, if there are several: "item 7, attempt 2 of 3".
MULTIPROCESSING_INLINE std::string describe_task(const TaskEnd& task) {
    std::string what = task.item ? "item " + std::to_string(*task.item) : "a task";
    if (task.count > 1) what += " or one of the " + std::to_string(task.count - 1) + " after it";
    if (task.policy.retries != 0)
        what += ", attempt " + std::to_string(task.failures + 1) + " of " +
                std::to_string(std::uint64_t{task.policy.retries} + 1);
    return what;
}

/// A time limit for people: "1500 ms", "2 s".
MULTIPROCESSING_INLINE std::string describe_time(std::chrono::nanoseconds time) {
    const auto microseconds = time.count() / 1000;
    if (microseconds % 1'000'000 == 0 && microseconds != 0)
        return std::to_string(microseconds / 1'000'000) + " s";
    if (time.count() < 1000) return std::to_string(time.count()) + " ns";
    if (microseconds >= 10'000) return std::to_string(microseconds / 1000) + " ms";
    return std::to_string(microseconds) + " us";
}

/// Bytes for people: "512 MiB", "1 byte".
MULTIPROCESSING_INLINE std::string describe_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t enough = 10; // of a unit: with less of it too much is cut off
    if (bytes >= enough << 20) return std::to_string(bytes >> 20) + " MiB";
    if (bytes >= enough << 10) return std::to_string(bytes >> 10) + " KiB";
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

/// What a worker had used, in parentheses; empty if the system did not tell.
MULTIPROCESSING_INLINE std::string describe_usage(std::uint64_t peak_memory,
                                                  std::chrono::microseconds cpu_time) {
    std::string known; // not all systems tell both of a process that has ended
    if (peak_memory != 0) known = "peak memory " + describe_bytes(peak_memory);
    if (peak_memory != 0 || cpu_time.count() != 0)
        known += (known.empty() ? "" : ", ") + std::to_string(cpu_time.count() / 1000) + " ms of CPU time";
    return known.empty() ? known : " (" + known + ")";
}

MULTIPROCESSING_INLINE std::string describe_ending(const platform::Ending& ending) {
    return describe_exit(ending.exitcode) +
           describe_usage(ending.peak_memory, ending.user_time + ending.system_time);
}

/// What to do about the end of a worker that no limit of ours has ended.
MULTIPROCESSING_INLINE std::string remedy_of_loss(const WorkerEnd& end, const TaskEnd& task) {
    if (end.exitcode == -9)
        return "that was probably the system's out-of-memory killer: use fewer workers, or less memory in each";
    if (end.exitcode && *end.exitcode >= 0) return "let the task return or throw instead of ending its process";
    return task.policy.retries != 0 ? "raise .retries" : "set .retries for further attempts";
}

MULTIPROCESSING_INLINE std::string describe_loss(const std::string& name, const WorkerEnd& end,
                                                 const TaskEnd& task) {
    const std::string what = describe_task(task);
    const std::string worker = "worker " + name + " (number " + std::to_string(end.worker.value_or(0)) +
                               ", pid " + std::to_string(end.pid) + ") " + describe_exit(end.exitcode);
    const std::string usage = describe_usage(end.peak_memory, end.cpu_time);
    const std::string separator = task.policy.retries != 0 ? ", " : " "; // after an attempt
    std::string text = "multiprocessing: ";
    std::string remedy;
    switch (task.reason) {
    case EndReason::time_limit:
        text += what + separator + "ran longer than its time limit of " +
                describe_time(task.policy.time_limit) + "; for that " + worker + usage;
        remedy = "raise .timeout";
        break;
    case EndReason::memory_limit:
        text += what + separator + "had its worker use " + describe_bytes(task.memory) +
                ", more than its memory limit of " + describe_bytes(task.policy.memory_limit) + "; for that " +
                worker + usage;
        remedy = "raise .memory_limit";
        break;
    default:
        text += worker + " while it ran " + what + usage;
        remedy = remedy_of_loss(end, task);
        break;
    }
    text += "; " + remedy +
            (task.item ? ", or keep what the other items give by Pool::try_map()" : ", or catch this error");
    if (!end.trace.empty()) text += "; the crash was at\n" + end.trace;
    return text;
}

MULTIPROCESSING_INLINE std::exception_ptr loss_of_worker(const ChildProcess& process,
                                                         const platform::Ending& ending,
                                                         const std::string& trace, int number,
                                                         const TaskEnd& task) {
    WorkerEnd end;
    end.pid = process.pid();
    end.exitcode = ending.exitcode;
    end.worker = number;
    if (task.item) end.task_index = static_cast<std::size_t>(*task.item);
    end.attempt = static_cast<int>(task.failures + 1);
    end.attempts = static_cast<int>(task.policy.retries + 1);
    end.peak_memory = ending.peak_memory;
    end.cpu_time = ending.user_time + ending.system_time;
    if (task.reason == EndReason::lost) end.trace = trace.substr(0, trace.find_last_not_of('\n') + 1);
    const std::string text = describe_loss(process.identity().name, end, task);
    switch (task.reason) {
    case EndReason::time_limit: return std::make_exception_ptr(TimeLimitExceeded(text, std::move(end)));
    case EndReason::memory_limit: return std::make_exception_ptr(MemoryLimitExceeded(text, std::move(end)));
    default: return std::make_exception_ptr(WorkerLostError(text, std::move(end)));
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
