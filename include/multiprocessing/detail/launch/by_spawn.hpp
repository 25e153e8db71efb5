#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_spawn.hpp  Start method spawn: the child is this program, started again.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/process.hpp>

namespace multiprocessing::inline v1::detail {

/// Starts the program again as the child that the birth's message is for. `channel`, if valid, is
/// passed as well.
MULTIPROCESSING_INLINE platform::Child start_by_spawn(PendingChild& birth, const LaunchRequest& request,
                                                      LaunchState& launching,
                                                      const platform::Handle& channel = {});

/// Becomes the child that this program was started as, and does not return; returns if it was not
/// started as one.
MULTIPROCESSING_INLINE void enter_if_spawned();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/launch/child_command.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/launch/child_message.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/kinship.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE platform::Child start_by_spawn(PendingChild& birth, const LaunchRequest& request,
                                                      LaunchState& launching, const platform::Handle& channel) {
    platform::SpawnRequest spawn{launching.executable.empty() ? platform::program_to_spawn()
                                                              : launching.executable};
    ChildCommand::write(spawn, {tree().space.handle(), birth.strand.child, birth.message.position(), channel,
                                handles_of(request), birth.alive.writer, this_process().alive});
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

MULTIPROCESSING_INLINE void enter_if_spawned() {
    const std::vector<std::string> arguments = platform::command_line();
    if (!ChildCommand::is_in(arguments)) return;
    try {
        platform::Handle strand = ChildCommand::read_strand(arguments);
        platform::hold(strand); // nothing else may be touched if the parent is gone
        ChildCommand command = ChildCommand::read(arguments, std::move(strand));
        if (const std::string reason = platform::stranger(command.space, true); !reason.empty())
            throw ProcessError("multiprocessing: it was started as if it were a child of its own, but " +
                               reason);
        ThisProcess& me = this_process();
        me.channel = std::move(command.channel);
        me.given = std::move(command.given);
        platform::Handle alive = std::move(command.alive.front());
        command.alive.erase(command.alive.begin());
        for (const platform::Handle& handle : command.alive)
            platform::HandleTraits::keep_in_forked_child(handle.native());
        me.alive = std::move(command.alive);
        auto space = std::make_shared<Space>(std::move(command.space));
        ChildMessage message = read_message(*space, command.message);
        ChildRecord& record = space->at<ChildRecord>(message.start.record);
        process_wide<Tree>().join(space, message.start.name, &record.touched);
        become_child(message.start, std::move(command.strand), std::move(alive));
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

#endif // MULTIPROCESSING_BODIES
