#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_loss.hpp  How a worker ended, in words, and the error of what it was at.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/pool/work.hpp>

#include <exception>
#include <string>

namespace multiprocessing::inline v1::detail {

/// How a process ended, for people: "was killed by SIGSEGV", "ended with exit code 3".
MULTIPROCESSING_INLINE std::string describe_ending(const platform::Ending& ending);

/// Whether somebody ended it, by SIGKILL or SIGTERM, which have these numbers everywhere.
inline bool was_killed_from_outside(const platform::Ending& ending) noexcept {
    return ending.exitcode && (*ending.exitcode == -9 || *ending.exitcode == -15);
}

/// What those get whose task, or item, a worker has taken with it. `number`: the worker's, in its
/// pool.
MULTIPROCESSING_INLINE std::exception_ptr loss_of_worker(const ChildProcess& process,
                                                         const platform::Ending& ending,
                                                         const std::string& trace, int number,
                                                         const TaskEnd& task);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/exceptions.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::string describe_ending(const platform::Ending& ending) {
    std::string text;
    if (!ending.exitcode) {
        text = "ended, and nobody saw how";
    } else if (*ending.exitcode < 0) {
        text = "was killed by " + platform::signal_name(-*ending.exitcode);
    } else {
        text = "ended with exit code " + std::to_string(*ending.exitcode);
    }
    if (ending.peak_memory) {
        text += " (peak memory " + std::to_string(ending.peak_memory >> 20) + " MiB, " +
                std::to_string((ending.user_time + ending.system_time).count() / 1000) + " ms of CPU)";
    }
    return text;
}

/// What it was, with the attempt, if there are several: "item 7, attempt 2 of 3,".
MULTIPROCESSING_INLINE std::string describe_task(const TaskEnd& task) {
    std::string what = task.item ? "item " + std::to_string(*task.item) : "a task";
    if (task.count > 1) what += " or one of the " + std::to_string(task.count - 1) + " after it";
    if (task.policy.retries != 0)
        what += ", attempt " + std::to_string(task.failures + 1) + " of " +
                std::to_string(std::uint64_t{task.policy.retries} + 1) + ",";
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

/// Bytes for people: "512 MiB".
MULTIPROCESSING_INLINE std::string describe_bytes(std::uint64_t bytes) {
    return bytes >= std::uint64_t{10} << 20 ? std::to_string(bytes >> 20) + " MiB"
                                            : std::to_string(bytes >> 10) + " KiB";
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
    const std::string worker = process.identity().name + " (pid " + std::to_string(process.pid()) + ")";
    if (task.reason == EndReason::time_limit)
        return std::make_exception_ptr(TimeLimitExceeded(
            "multiprocessing: " + describe_task(task) + " ran longer than its time limit of " +
                describe_time(task.policy.time_limit) + "; its worker " + worker + " was ended for that",
            std::move(end)));
    if (task.reason == EndReason::memory_limit)
        return std::make_exception_ptr(MemoryLimitExceeded(
            "multiprocessing: " + describe_task(task) + " had its worker use " + describe_bytes(task.memory) +
                ", more than its memory limit of " + describe_bytes(task.policy.memory_limit) +
                "; the worker " + worker + " was ended for that",
            std::move(end)));
    std::string text = "multiprocessing: worker " + worker + " " + describe_ending(ending) + " while it ran " +
                       describe_task(task);
    if (text.back() == ',') text.pop_back();
    if (!trace.empty()) text += "; it crashed at\n" + trace;
    end.trace = trace;
    return std::make_exception_ptr(WorkerLostError(text, std::move(end)));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
