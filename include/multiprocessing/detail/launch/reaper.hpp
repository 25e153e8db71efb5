#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reaper.hpp  Looking at all children of this process: which have ended, and at its own end,
/// ending them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>

#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Notices which of some children have ended; called at each start, as Python does.
MULTIPROCESSING_INLINE void reap_children();

/// Returns the children that run, after noticing which have ended.
MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> running_children();

/// At the end of this process: terminates the daemonic children, all together, and waits for the
/// others, as Python does. A child that the system does not let this process end is left, with a
/// warning.
MULTIPROCESSING_INLINE void end_running_children();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/extract_if.hpp>
#include <multiprocessing/detail/launch/children.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void reap_children() {
    for (const auto& child : children().next()) child->poll();
    children().bury(Children::most_looks);
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> running_children() {
    std::vector<std::shared_ptr<ChildProcess>> running = children().all();
    extract_if(running, [](const auto& child) { return child->poll().has_value(); });
    children().bury(); // by now the last descendant of a child that ended earlier may be gone
    return running;
}

MULTIPROCESSING_INLINE void end_running_children() {
    const auto running = running_children();
    if (running.empty()) return; // without even asking for the time: see bound_early
    for (const auto& child : running) {
        if (child->identity().daemon) child->try_to(&ChildProcess::terminate);
    }
    const Deadline patience = Deadline::after(std::chrono::seconds{1});
    for (const auto& child : running) {
        if (child->identity().daemon && !child->wait(patience)) child->try_to(&ChildProcess::kill);
    }
    std::string left;
    for (const auto& child : running) {
        if (child->poll()) continue;
        if (child->identity().daemon && !child->try_to(&ChildProcess::kill)) {
            left += " " + child->identity().name + " (pid " + std::to_string(child->pid()) + ")";
        } else {
            child->wait(Deadline{});
        }
    }
    if (!left.empty())
        get_logger().log(LogLevel::warning,
                         "at the end of the process these children go on, as the system refuses "
                         "to end them:" +
                             left);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
