#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_loss.hpp  How a worker ended, in words, and the error of what it was at.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/platform/process.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace multiprocessing::inline v1::detail {

/// How a process ended, for people: "was killed by SIGSEGV", "ended with exit code 3".
MULTIPROCESSING_INLINE std::string describe_ending(const platform::Ending& ending);

/// Whether somebody ended it, by SIGKILL or SIGTERM, which have these numbers everywhere.
inline bool was_killed_from_outside(const platform::Ending& ending) noexcept {
    return ending.exitcode && (*ending.exitcode == -9 || *ending.exitcode == -15);
}

/// What those get whose task, or item, a worker has taken with it.
MULTIPROCESSING_INLINE std::exception_ptr
loss_of_worker(const ChildProcess& process, const platform::Ending& ending, const std::string& trace,
               std::optional<std::uint64_t> item, std::uint64_t count);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>

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

MULTIPROCESSING_INLINE std::exception_ptr
loss_of_worker(const ChildProcess& process, const platform::Ending& ending, const std::string& trace,
               std::optional<std::uint64_t> item, std::uint64_t count) {
    std::string what = "its task";
    if (item) what = "item " + std::to_string(*item);
    if (count > 1) what += " or one of the " + std::to_string(count - 1) + " after it";
    std::string text = "multiprocessing: worker " + process.identity().name + " (pid " +
                       std::to_string(process.pid()) + ") " + describe_ending(ending) + " while it ran " + what;
    if (!trace.empty()) text += "; it crashed at\n" + trace;
    return std::make_exception_ptr(WorkerLostError(
        text, process.pid(), ending.exitcode, item ? std::optional<std::size_t>(*item) : std::nullopt, trace));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
