#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_attributes.hpp  Contract: what a child takes over from the process that asked for
/// it.
///
/// A child of fork or spawn has its parent's environment, working directory, umask, resource limits
/// and affinity by itself, and is as privileged, and as confined, as the thread that starts it. A
/// child of the fork server is a copy of the server, which was made earlier: what has changed since
/// then is brought along.
/// * `Surroundings::here()`: those of the calling thread, as they are now.
/// * `can_be_taken_on(since)`: whether a process that has `since` may take these on.
/// * `changes(since)`: what has to be applied in a process that has `since`, as bytes (empty if
///   nothing has changed), and `directory()`: the working directory, to be passed beside them
///   (invalid if it is still the same).
/// * `set_variable(name, value)`: in the environment of this process, whose only thread calls it;
///   null removes it. Throws `std::system_error`.
/// * `apply_surroundings(bytes, directory)`: takes them on. Throws `std::system_error` naming what
///   could not be had.
/// * `Rights::here(files)`: what the calling thread may do, and what keeps it in.
///   `now.equal(then)`: whether a process that has the one may stand for one that has the other.
///   `files` is a RightsFiles of ours, which makes asking again cheaper. False where ids, groups,
///   capabilities, filters of system calls, namespaces, the root directory, the control group, the
///   session, ignored signals or the like differ, or may differ, as the system does not say: then
///   only a process that is made now has them.
/// * `Capabilities::of_caller()`: what the calling thread may do beyond its ids; crosses as bytes.
///   `impose()`: the calling thread gives up what is not among them, as a program that root starts
///   has all of them again. Throws `std::system_error`.
/// * `HandleLimit::raise()`: from now on this process may have as many handles as it ever may;
///   `restore()`: as before.
/// Where `can_fork` is false nobody calls it, but for Capabilities, which are none there.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process_attributes.hpp>
#else
#include <multiprocessing/detail/posix/process_attributes.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const Surroundings& now, const Surroundings& since, std::span<const std::byte> bytes,
                       const Handle& directory, const HandleLimit& limit, const Rights& rights,
                       RightsFiles& files) {
    { Surroundings::here() } -> std::same_as<Surroundings>;
    { now.can_be_taken_on(since) } -> std::same_as<bool>;
    { now.changes(since) } -> std::same_as<std::vector<std::byte>>;
    { now.directory(since) } -> std::same_as<Handle>;
    { Rights::here(files) } -> std::same_as<Rights>;
    { rights.equal(rights) } -> std::same_as<bool>;
    { Capabilities::of_caller() } noexcept -> std::same_as<Capabilities>;
    { Capabilities::of_caller().impose() } -> std::same_as<void>;
    { HandleLimit::raise() } -> std::same_as<HandleLimit>;
    { limit.restore() } noexcept -> std::same_as<void>;
    { set_variable("NAME", "value") } -> std::same_as<void>;
    { apply_surroundings(bytes, directory) } -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
