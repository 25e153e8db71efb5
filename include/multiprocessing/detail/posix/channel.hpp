#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  POSIX twin: a pair of seqpacket sockets and SCM_RIGHTS.

#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
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
    alignas(cmsghdr) char control[CMSG_SPACE(most_handles * sizeof(int))] = {};
    iovec body{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    if (!handles.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(handles.size_bytes());
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(handles.size_bytes());
        std::memcpy(CMSG_DATA(header), handles.data(), handles.size_bytes());
    }
    while (::sendmsg(end.native(), &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) throw_last_error("sending a message between processes");
    }
}

inline std::optional<Message> receive(const Handle& end) {
    Message result;
    // Not initialised: only the pages that a message fills are touched.
    const std::unique_ptr<std::byte[]> buffer(new std::byte[most_bytes]);
    alignas(cmsghdr) char control[CMSG_SPACE(most_handles * sizeof(int))];
    iovec body{buffer.get(), most_bytes};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got;
    while ((got = ::recvmsg(end.native(), &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == ECONNRESET) return std::nullopt; // closed with messages of ours unread
        if (errno != EINTR) throw_last_error("receiving a message from another process");
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor;
            std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
            result.handles.emplace_back(descriptor);
        }
    }
    if (got == 0) return std::nullopt;
    result.bytes.assign(buffer.get(), buffer.get() + got);
    return result;
}

} // namespace multiprocessing::inline v1::detail::platform
