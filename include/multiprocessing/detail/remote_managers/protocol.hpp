#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file protocol.hpp  What a remote client of a manager and its server say to each other.
///
/// After the handshake of a Listener each message is a frame. The client sends a Hello, then one
/// request after the other; the server sends one answer to each. Numbers are as in memory: the
/// Hello says how, and a client whose numbers differ is refused.
///
///     request:  kind u8 | what belongs to it
///       bind     text type, text member ("": a constructor), signature u64, text of it
///                                              -> number u32, for invoke and create
///       invoke   object u64, method u32, call
///       create   constructor u32, call         -> one reference
///       object   text name                     -> one reference
///       release  object u64, count u64
///       count                                  -> u64
///       invoke_here, create_here               by thunk, where both are one image; see Session
///       call:    thread u64 | count u32 | as many object u64 | arguments
///     answer:   kind u8 | count u32 | as many object u64 | result, or what was thrown

#include <multiprocessing/detail/config.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail {

enum class RemoteRequest : std::uint8_t {
    bind,
    invoke,
    create,
    object,
    release,
    count,
    invoke_here,
    create_here
};

enum class RemoteAnswerKind : std::uint8_t {
    result,
    error,
    farewell ///< As an error, and the server sends nothing more.
};

/// 16 random bytes that a client process makes for itself: connections with the same ones are one
/// client.
using ClientToken = std::array<std::byte, 16>;

/// How a client introduces itself. Fixed size, in bytes whose meaning it says itself.
struct RemoteHello {
    static constexpr std::array<char, 4> mark_of_managers{'m', 'p', 'm', 'g'};
    static constexpr std::uint32_t this_protocol = 1;
    static constexpr std::uint32_t this_order = 0x01020304;

    std::array<char, 4> mark = mark_of_managers;
    std::uint32_t protocol = this_protocol;
    std::uint32_t order = this_order;
    std::array<std::uint8_t, 4> sizes{sizeof(long), sizeof(wchar_t), sizeof(void*), sizeof(long double)};
    ClientToken token{};
};
static_assert(sizeof(RemoteHello) == 32);

/// What a server answers to a Hello.
struct RemoteWelcome {
    std::uint64_t max_message = 0;
    std::uint64_t pid = 0;
};

/// What a server allows its remote clients.
struct RemoteLimits {
    std::size_t max_clients = 256;
    std::size_t max_message = std::size_t{64} << 20;
    std::size_t max_memory_per_client = std::size_t{256} << 20;
    std::size_t max_objects_per_client = 1'000'000;
    std::optional<std::chrono::nanoseconds> call_timeout = {};
    /// For a message to arrive, or to be taken; and a second more for each MiB.
    std::chrono::seconds patience{10};
};

} // namespace multiprocessing::inline v1::detail
