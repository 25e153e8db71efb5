#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  POSIX twin: a pair of seqpacket sockets and SCM_RIGHTS.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/descriptor_room.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr std::size_t most_handles = 64;
inline constexpr std::size_t most_bytes = 65'536;

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_channel();

/// Waits until the end can be read from, or written to. Throws at the deadline.
MULTIPROCESSING_INLINE void await_channel(const Handle& end, short event, const Deadline& deadline,
                                          const char* what);

/// Sends a message. The number of handles stands before the bytes: the kernel cuts off what the
/// receiver has no room for, and says no more than that it did.
MULTIPROCESSING_INLINE void send(const Handle& end, std::span<const std::byte> bytes,
                                 std::span<const NativeHandle> handles, const Deadline& deadline);

MULTIPROCESSING_INLINE std::optional<Message> receive(const Handle& end, const Deadline& deadline);

MULTIPROCESSING_INLINE void shut(const Handle& end) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_channel() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw_last_error("making a socket pair");
    Pipe both = own_both(ends);
    return {std::move(both.reader), std::move(both.writer)};
}

MULTIPROCESSING_INLINE void await_channel(const Handle& end, short event, const Deadline& deadline,
                                          const char* what) {
    for (;;) {
        pollfd waited{end.native(), event, 0};
        timespec left{};
        if (!deadline.never()) {
            const auto span = deadline.left(std::chrono::hours{1});
            left.tv_sec = static_cast<time_t>(span.count() / 1'000'000'000);
            left.tv_nsec = static_cast<long>(span.count() % 1'000'000'000);
        }
        const int count = ::ppoll(&waited, 1, deadline.never() ? nullptr : &left, nullptr);
        if (count > 0) return;
        if (count < 0 && errno != EINTR) throw_last_error(what);
        if (deadline.passed()) throw_error(std::make_error_code(std::errc::timed_out), what);
    }
}

MULTIPROCESSING_INLINE void send(const Handle& end, std::span<const std::byte> bytes,
                                 std::span<const NativeHandle> handles, const Deadline& deadline) {
    constexpr const char* what = "sending a message between processes";
    DescriptorRoom<most_handles> room;
    std::uint32_t count = static_cast<std::uint32_t>(handles.size());
    iovec body[2]{{&count, sizeof count}, {const_cast<std::byte*>(bytes.data()), bytes.size()}};
    msghdr message{};
    message.msg_iov = body;
    message.msg_iovlen = 2;
    room.send_with(message, handles);
    while (::sendmsg(end.native(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN) {
            await_channel(end, POLLOUT, deadline, what);
        } else if (errno == ETOOMANYREFS && !deadline.passed()) {
            // Descriptors on their way count against this user's limit until they are received.
            wait_any({}, deadline.sooner(Deadline::after(std::chrono::milliseconds{1})));
        } else if (errno != EINTR) {
            throw_last_error(what);
        }
    }
}

MULTIPROCESSING_INLINE std::optional<Message> receive(const Handle& end, const Deadline& deadline) {
    constexpr const char* what = "receiving a message from another process";
    Message result;
    // Not initialised: only the pages that a message fills are touched.
    const std::unique_ptr<std::byte[]> buffer(new std::byte[most_bytes]);
    DescriptorRoom<most_handles> room;
    std::uint32_t count = 0;
    iovec body[2]{{&count, sizeof count}, {buffer.get(), most_bytes}};
    msghdr message{};
    message.msg_iov = body;
    message.msg_iovlen = 2;
    // Without a deadline it waits in the call itself, which saves the server a call for each copy.
    const int flags = MSG_CMSG_CLOEXEC | (deadline.never() ? 0 : MSG_DONTWAIT);
    ssize_t got;
    if (!deadline.never()) await_channel(end, POLLIN, deadline, what);
    for (;;) {
        room.receive_with(message);
        got = ::recvmsg(end.native(), &message, flags);
        if (got >= 0) break;
        if (errno == ECONNRESET) return std::nullopt; // closed with messages of ours unread
        if (errno == EAGAIN) {
            await_channel(end, POLLIN, deadline, what);
        } else if (errno != EINTR) {
            throw_last_error(what);
        }
    }
    room.collect(message, result.handles);
    if (got < static_cast<ssize_t>(sizeof count)) return std::nullopt;
    result.lost = count - (std::min)(static_cast<std::size_t>(count), result.handles.size());
    result.bytes.assign(buffer.get(), buffer.get() + (got - static_cast<ssize_t>(sizeof count)));
    return result;
}

MULTIPROCESSING_INLINE void shut(const Handle& end) noexcept { ::shutdown(end.native(), SHUT_RDWR); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
