#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  POSIX twin: a pair of seqpacket sockets and SCM_RIGHTS.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/descriptor_room.hpp>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr std::size_t most_handles = 64;
inline constexpr std::size_t most_bytes = 65'536;

inline std::pair<Handle, Handle> make_channel() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw_last_error("making a socket pair");
    return {Handle{ends[0]}, Handle{ends[1]}};
}

inline void send(const Handle& end, std::span<const std::byte> bytes, std::span<const NativeHandle> handles) {
    DescriptorRoom<most_handles> room;
    iovec body{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    room.send_with(message, handles);
    while (::sendmsg(end.native(), &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) throw_last_error("sending a message between processes");
    }
}

inline std::optional<Message> receive(const Handle& end) {
    Message result;
    // Not initialised: only the pages that a message fills are touched.
    const std::unique_ptr<std::byte[]> buffer(new std::byte[most_bytes]);
    DescriptorRoom<most_handles> room;
    iovec body{buffer.get(), most_bytes};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    room.receive_with(message);
    ssize_t got;
    while ((got = ::recvmsg(end.native(), &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == ECONNRESET) return std::nullopt; // closed with messages of ours unread
        if (errno != EINTR) throw_last_error("receiving a message from another process");
    }
    room.collect(message, result.handles);
    if (got == 0) return std::nullopt;
    result.bytes.assign(buffer.get(), buffer.get() + got);
    return result;
}

} // namespace multiprocessing::inline v1::detail::platform
