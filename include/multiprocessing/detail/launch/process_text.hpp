#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_text.hpp  How a process is shown: `repr` of Python's Process.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <optional>
#include <string>

namespace multiprocessing::inline v1::detail {

/// Returns the text form of a process. `pid` and `parent` are 0 where none is to be shown.
MULTIPROCESSING_INLINE std::string shown_process(const ProcessIdentity& identity, int pid, int parent,
                                                 const char* state, std::optional<int> exitcode = {},
                                                 const char* kind = "Process");
MULTIPROCESSING_INLINE std::string shown_child(ChildProcess& child, int parent);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::string shown_process(const ProcessIdentity& identity, int pid, int parent,
                                                 const char* state, std::optional<int> exitcode,
                                                 const char* kind) {
    std::string text = std::string("<") + kind + " name=" + shown(identity.name);
    if (pid) text += " pid=" + std::to_string(pid);
    text += " parent=" + (parent ? std::to_string(parent) : "None");
    text.append(" ").append(state);
    if (exitcode)
        text += " exitcode=" +
                (*exitcode < 0 ? "-" + platform::signal_name(-*exitcode) : std::to_string(*exitcode));
    if (identity.daemon) text += " daemon";
    return text + ">";
}

MULTIPROCESSING_INLINE std::string shown_child(ChildProcess& child, int parent) {
    const auto ending = child.poll();
    return shown_process(child.identity(), child.pid(), parent, ending ? "stopped" : "started",
                         ending ? ending->exitcode : std::nullopt);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
