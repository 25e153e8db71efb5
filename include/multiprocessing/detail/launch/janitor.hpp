#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor.hpp  A small process that outlives its tree, to take away the names of those that
/// were killed.
///
/// The first process of a tree that makes memory with a name starts it: the program again, which
/// has nothing but the Space and the reading end of a pipe that every process of the tree holds. At
/// its end of file the last of them has gone. What is noted in the Space then was made by processes
/// that were killed.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/process.hpp>

namespace multiprocessing::inline v1::detail {

/// First argument of the janitor's command line. What follows: the Space, the reading end.
inline constexpr char janitor_marker[] = "--multiprocessing-janitor";

/// Starts it. It is not tied to this process, and nobody waits for it.
MULTIPROCESSING_INLINE void start_janitor();

/// Becomes the janitor that this program was started as, and does not return; returns if it was not
/// started as one.
MULTIPROCESSING_INLINE void enter_if_janitor();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/kinship.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/space/space.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void start_janitor() {
    LaunchState& launching = process_wide<LaunchState>();
    const DeferredLog written_afterwards;
    std::lock_guard lock{launching.mutex};
    launching.hold_tree();
    platform::SpawnRequest spawn{launching.executable.empty() ? platform::program_to_spawn()
                                                              : launching.executable};
    // The main process's, of all that we hold. It has the reading end itself, which nobody can
    // refuse.
    const platform::Handle end = this_process().tree_end.valid()
                                     ? this_process().tree_end.duplicate()
                                     : platform::reading_end(this_process().alive.front());
    spawn.argument(janitor_marker);
    spawn.argument(spawn.pass(tree().space.handle()));
    spawn.argument(spawn.pass(end));
    const platform::AllSignalsBlocked blocked; // it ends by itself
    spawn.signal_mask(platform::SignalMask::of_caller());
    this_process().janitor = platform::spawn(spawn).pid();
}

MULTIPROCESSING_INLINE void enter_if_janitor() {
    const std::vector<std::string> arguments = platform::command_line();
    if (arguments.size() != 4 || arguments[1] != janitor_marker) return;
    try {
        platform::leave_family();
        std::vector<std::uint64_t> left;
        {
            platform::Handle memory = platform::adopt_handle(arguments[2]);
            // It takes names away, of whatever it is told: only of kin. The process that started it
            // may have ended.
            if (!platform::stranger(memory, false).empty()) platform::exit_now(1);
            Space space{std::move(memory)};
            platform::join_id_space(space.ids());
            space.named_notes().enter_janitor();
            const platform::Handle end = platform::adopt_handle(arguments[3]);
            std::array<std::byte, 1> byte;
            while (platform::read_some(end, byte) != 0) {}
            space.named_notes().forget_if([&](std::uint64_t identity, Incarnation) {
                left.push_back(identity);
                return false;
            });
        } // strangers may have what is left for long: the memory of the tree goes now
        platform::unlink_when_unused(std::move(left));
    } catch (const std::exception&) {} // there is nobody left to tell
    platform::exit_now(0);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
