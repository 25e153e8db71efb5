#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_spawn.hpp  Start method spawn: the child is this program, started again.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/launch/child_message.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/kinship.hpp>
#include <multiprocessing/detail/platform/process.hpp>

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// First argument of a child's command line. What follows: the Space, the strand of the lifeline
/// ("-": none), the message's position, a channel for a server ("-": none), the number of handles
/// among the target's arguments, these, and one or more ends that say the subtree is alive.
inline constexpr char child_marker[] = "--multiprocessing-child";

/// Starts the program again as the child that the birth's message is for. `channel`, if valid, is
/// passed as well.
inline platform::Child start_by_spawn(PendingChild& birth, const LaunchRequest& request, LaunchState& launching,
                                      const platform::Handle& channel = {}) {
    platform::SpawnRequest spawn{launching.executable.empty() ? platform::program_to_spawn()
                                                              : launching.executable};
    const auto pass = [&](const platform::Handle& handle) {
        spawn.argument(handle.valid() ? spawn.pass(handle) : "-");
    };
    spawn.argument(child_marker);
    pass(tree().space.handle());
    pass(birth.strand.child);
    spawn.argument(std::to_string(birth.message.position()));
    pass(channel);
    const auto handles = handles_of(request);
    spawn.argument(std::to_string(handles.size()));
    for (const platform::Handle& handle : handles) pass(handle);
    pass(birth.alive.writer);
    for (const platform::Handle& handle : this_process().alive) pass(handle);
    spawn.signal_mask(request.mask);
    for (const auto& [name, value] : request.env) spawn.variable(name, value ? value->c_str() : nullptr);
    platform::flush_standard_streams(); // so that lines come out in order
    platform::Child child = platform::spawn(spawn);
    ScopeExit end_it{[&] { child.discard(); }};
    // From here on the system ends it with us; it cannot have got past its own look at the lifeline
    // before.
    launching.lifeline().tie(birth.strand.child, child);
    end_it.release();
    return child;
}

/// If this program was started as a child, becomes that, and does not return.
inline void enter_if_spawned() {
    const std::vector<std::string> arguments = platform::command_line();
    if (arguments.size() < 8 || arguments[1] != child_marker) return;
    try {
        const auto adopt = [](const std::string& word) {
            return word == "-" ? platform::Handle{} : platform::adopt_handle(word);
        };
        platform::Handle space_handle = adopt(arguments[2]);
        platform::Handle strand = adopt(arguments[3]);
        platform::hold(strand); // nothing else may be touched if the parent is gone
        if (const std::string reason = platform::stranger(space_handle, true); !reason.empty())
            throw ProcessError("multiprocessing: it was started as if it were a child of its own, but " +
                               reason);
        const Position position = std::strtoull(arguments[4].c_str(), nullptr, 10);
        this_process().channel = adopt(arguments[5]);
        const std::size_t handles = std::strtoull(arguments[6].c_str(), nullptr, 10);
        std::size_t next = 7;
        for (; next < 7 + handles; ++next) this_process().given.push_back(adopt(arguments.at(next)));
        platform::Handle alive = adopt(arguments.at(next));
        for (std::size_t i = next + 1; i < arguments.size(); ++i) {
            this_process().alive.push_back(adopt(arguments[i]));
            platform::HandleTraits::keep_in_forked_child(this_process().alive.back().native());
        }
        auto space = std::make_shared<Space>(std::move(space_handle));
        ChildMessage message = read_message(*space, position);
        ChildRecord& record = space->at<ChildRecord>(message.start.record);
        process_wide<Tree>().join(space, message.start.name, &record.touched);
        become_child(message.start, std::move(strand), std::move(alive));
        try {
            message.start.capabilities.impose();
        } catch (const std::exception& error) { refuse_child(message.start, error); }
        run_child(message.start, message.payload);
    } catch (const std::exception& error) {
        platform::write_error(arguments[0] + ": " + error.what() + "\n");
        platform::exit_now(1);
    }
}

} // namespace multiprocessing::inline v1::detail
