#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_command.hpp  The command line of a child that is started by spawn: written and read
/// here.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a child must have before it can read its message. A handle that is not valid stays so.
struct ChildCommand {
    static constexpr char marker[] = "--multiprocessing-child";
    static constexpr char no_handle[] = "-";

    platform::Handle space;
    platform::Handle strand;             ///< Of the lifeline.
    Position message = 0;                ///< Where it lies in the Space.
    platform::Handle channel;            ///< Of a server to its parent.
    std::vector<platform::Handle> given; ///< Among the arguments of the target.
    std::vector<platform::Handle> alive; ///< Ends that say that the subtree lives; the child's own first.

    /// The handles of a command that is written: they stay the parent's.
    struct Parts {
        const platform::Handle& space;
        const platform::Handle& strand;
        Position message;
        const platform::Handle& channel;
        std::span<const platform::Handle> given;
        const platform::Handle& own_alive;
        std::span<const platform::Handle> alive;
    };

    static void write(platform::SpawnRequest& spawn, const Parts& parts);

    /// Returns whether this looks like the command line of a child.
    static bool is_in(const std::vector<std::string>& arguments);

    /// Returns the strand alone, which a child looks at before it touches anything else.
    static platform::Handle read_strand(const std::vector<std::string>& arguments);
    /// Reads the rest. Throws what is wrong with a word that is no handle.
    static ChildCommand read(const std::vector<std::string>& arguments, platform::Handle strand);

private:
    static constexpr std::size_t first = 2; // behind the program and the marker

    static platform::Handle adopt(const std::string& word);
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <cstdlib>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ChildCommand::write(platform::SpawnRequest& spawn, const Parts& parts) {
    const auto pass = [&](const platform::Handle& handle) {
        spawn.argument(handle.valid() ? spawn.pass(handle) : no_handle);
    };
    spawn.argument(marker);
    pass(parts.space);
    pass(parts.strand);
    spawn.argument(std::to_string(parts.message));
    pass(parts.channel);
    spawn.argument(std::to_string(parts.given.size()));
    for (const platform::Handle& handle : parts.given) pass(handle);
    pass(parts.own_alive);
    for (const platform::Handle& handle : parts.alive) pass(handle);
}

MULTIPROCESSING_INLINE bool ChildCommand::is_in(const std::vector<std::string>& arguments) {
    return arguments.size() > first + 5 && arguments[1] == marker;
}

MULTIPROCESSING_INLINE platform::Handle ChildCommand::read_strand(const std::vector<std::string>& arguments) {
    return adopt(arguments[first + 1]);
}

MULTIPROCESSING_INLINE ChildCommand ChildCommand::read(const std::vector<std::string>& arguments,
                                                       platform::Handle strand) {
    ChildCommand command;
    command.space = adopt(arguments[first]);
    command.strand = std::move(strand);
    command.message = std::strtoull(arguments[first + 2].c_str(), nullptr, 10);
    command.channel = adopt(arguments[first + 3]);
    const std::size_t given = std::strtoull(arguments[first + 4].c_str(), nullptr, 10);
    std::size_t next = first + 5;
    for (std::size_t i = 0; i < given; ++i) command.given.push_back(adopt(arguments.at(next++)));
    command.alive.push_back(adopt(arguments.at(next++)));
    while (next < arguments.size()) command.alive.push_back(adopt(arguments[next++]));
    return command;
}

MULTIPROCESSING_INLINE platform::Handle ChildCommand::adopt(const std::string& word) {
    return word == no_handle ? platform::Handle{} : platform::adopt_handle(word);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
