#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  Contract: ends of streams that wait for others to connect, and connecting.
///
/// `Endpoint` says where: a path (POSIX: of a socket in the file system, or a name of Linux's
/// abstract sockets, which begins with NUL; Windows: of a named pipe), or host and port.
/// * `Listening(endpoint, backlog, note)`: listens there; at an endpoint of the system's choice if
///   that is empty, on a port of its choice if that is 0. Throws `std::invalid_argument` for a kind
///   that this platform does not have, `std::system_error` otherwise. `endpoint()` is where others
///   find it. Calls `note(identity)` before it makes something in the file system that is not of
///   the caller's choice: for the janitor, should this process be killed.
/// * `handle()` is ready, for wait_any(), when a client connects. `accept(peer)`: a stream's end,
///   and whose it is; nullopt if nobody is there (any more). Does not wait.
/// * `waitable()`: a handle that is ready when handle() is, or while a stream's end that was passed
///   to `include(end)` is readable or closed at the other side; until `exclude(end)`, to be called
///   before the end is closed. Windows: the same as handle(); the other two do nothing.
/// * Its destructor stops listening, and removes what was made in the file system; not in a copy
///   that a fork made.
/// * `connect(endpoint, deadline)`: a stream's end. Throws `std::system_error`, `timed_out` when
///   the deadline passed.
/// * `keep_alive(end)`: a stream's end whose other machine vanishes without a word is at its end
///   within half a minute, also while something is unsent. Does nothing for ends within a machine.

#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/listener.hpp>
#else
#include <multiprocessing/detail/posix/listener.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(Listening& listening, const Handle& end, const Endpoint& there, Endpoint& peer,
                       Deadline deadline, int backlog, void (&note)(std::uint64_t)) {
    Listening{there, backlog, note};
    { listening.endpoint() } -> std::same_as<const Endpoint&>;
    { listening.handle() } -> std::same_as<NativeHandle>;
    { listening.waitable() } -> std::same_as<NativeHandle>;
    { listening.include(listening.handle()) } -> std::same_as<void>;
    { listening.exclude(listening.handle()) } noexcept -> std::same_as<void>;
    { listening.accept(peer) } -> std::same_as<std::optional<Handle>>;
    { connect(there, deadline) } -> std::same_as<Handle>;
    { keep_alive(end) } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
