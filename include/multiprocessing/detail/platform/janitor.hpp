#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor.hpp  Contract: what a process needs that cleans up after others were killed.
///
/// * `names_outlive_processes`: whether named memory stays until a process unlinks it. Where it
///   does not (Windows), there is nothing to clean up: no janitor is ever started.
/// * `identity_of(object)`: tells named memory from any other, also from later ones of the same
///   name; 0 where names do not outlive processes. (The identity of a socket's directory, see
///   Listening, is told from all of these.)
/// * `child_has_ended(pid)`: whether this process's child `pid`, which nothing else waits for, has
///   ended; once it has, the pid means nothing any more.
/// * `is_of_process(identity)`: whether what it names is of no use to others when its process has
///   ended.
/// * `reading_end(writer)`: another handle for the same pipe, to read from.
/// * `leave_family()`: from now on this process has no terminal, no standard streams, no directory
///   of its parent's, and is in no group that could be ended as a whole.
/// * `unlink_when_unused(identities)`: takes those of processes away; of memory it waits until no
///   process that this user may look at has it mapped, then takes its name away, if it still has
///   one; so with each. As long as the system does not say what is mapped, all is. What belongs to
///   another user, or is of another kind, is left alone.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/memory.hpp>

#include <concepts>
#include <cstdint>
#include <vector>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/janitor.hpp>
#else
#include <multiprocessing/detail/posix/janitor.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const MemoryObject& object, const Handle& handle,
                       std::vector<std::uint64_t> identities) {
    requires std::same_as<decltype(names_outlive_processes), const bool>;
    { identity_of(object) } noexcept -> std::same_as<std::uint64_t>;
    { is_of_process(identities[0]) } noexcept -> std::same_as<bool>;
    { reading_end(handle) } -> std::same_as<Handle>;
    { child_has_ended(0) } noexcept -> std::same_as<bool>;
    { leave_family() } -> std::same_as<void>;
    { unlink_when_unused(identities) } -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
