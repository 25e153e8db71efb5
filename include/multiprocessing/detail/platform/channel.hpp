#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  Contract: whole messages between two processes, with handles in them.
///
/// * `make_channel()`: both ends.
/// * `send(end, bytes, handles, deadline)`: one message, at most 64 KiB, and up to 64 handles,
///   which stay open here. Throws `std::system_error` with `std::errc::broken_pipe` if the other
///   end is closed (never a signal), with `std::errc::timed_out` if the other side takes nothing
///   until the deadline.
/// * `receive(end, deadline)`: waits for one; nullopt when the other end is closed and all was
///   read. The handles in it are ours. Where this process has no room for all of them, the first
///   ones arrive, and `lost` says how many did not. Throws `std::system_error` with
///   `std::errc::timed_out` at the deadline.
/// * `shut(end)`: both sides see the end of the channel, also a thread of this process that waits
///   in receive().
/// Only where `can_fork`; elsewhere nobody calls it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

/// What arrived.
struct Message {
    std::vector<std::byte> bytes;
    std::vector<Handle> handles;
    std::size_t lost = 0; ///< Handles that were sent with it and found no room here.
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/channel.hpp>
#else
#include <multiprocessing/detail/posix/channel.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const Handle& end, std::span<const std::byte> bytes,
                       std::span<const NativeHandle> handles, Deadline deadline) {
    { make_channel() } -> std::same_as<std::pair<Handle, Handle>>;
    { send(end, bytes, handles, deadline) } -> std::same_as<void>;
    { receive(end, deadline) } -> std::same_as<std::optional<Message>>;
    { shut(end) } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
