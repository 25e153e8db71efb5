#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  Contract: whole messages between two processes, with handles in them.
///
/// * `make_channel()`: both ends.
/// * `send(end, bytes, handles)`: one message, at most 64 KiB, and up to 64 handles, which stay open here. Throws
///   `std::system_error` with `std::errc::broken_pipe` if the other end is closed: never a signal.
/// * `receive(end)`: waits for one; nullopt when the other end is closed and all was read. The handles in it
///   are ours.
/// Only where `can_fork`; elsewhere nobody calls it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

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
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/channel.hpp>
#else
#include <multiprocessing/detail/posix/channel.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const Handle& end, std::span<const std::byte> bytes,
                       std::span<const NativeHandle> handles) {
    { make_channel() } -> std::same_as<std::pair<Handle, Handle>>;
    { send(end, bytes, handles) } -> std::same_as<void>;
    { receive(end) } -> std::same_as<std::optional<Message>>;
});

} // namespace multiprocessing::inline v1::detail::platform
