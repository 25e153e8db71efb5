#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream.hpp  POSIX twin: stream sockets and SCM_RIGHTS.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/descriptor_room.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_stream_pair();

class Stream {
    static constexpr std::size_t most_per_byte = 253; // SCM_MAX_FD
    static constexpr std::size_t size_of_head = 4;    // at least

public:
    static constexpr std::size_t most_handles = size_of_head * most_per_byte;

    Stream() noexcept = default;
    explicit Stream(Handle socket);

    const Handle& handle() const noexcept { return socket_; }
    bool carries_handles() const noexcept { return local_; }

    std::optional<std::size_t> read_some(std::span<std::byte> bytes, Deadline deadline, Arrived& arrived);

    void write_all(std::span<const std::byte> head, std::span<const std::byte> body,
                   const std::vector<Handle>& handles, Drain* drain);
    std::size_t write_some(std::span<const std::byte> bytes);

    static constexpr bool watch_reads_ahead = false;
    NativeHandle watch(Inbox&) const noexcept { return socket_.native(); }
    void unwatch(Inbox&) const noexcept {}

    static constexpr bool handles_are_words = false;
    static std::uint64_t offer(Handle&&) noexcept { return 0; }
    static Handle accept(std::uint64_t) noexcept;

    bool is_closed() const;

    static void shut(const Handle& socket, bool reading, bool writing);

private:
    /// Returns nullopt if nothing is there, and the flags or the socket say not to wait.
    std::optional<std::size_t> receive(std::span<std::byte> bytes, int flags, Arrived& arrived) const;

    void write(std::span<const std::byte> head, std::span<const std::byte> body,
               std::span<const Handle> handles, Drain* drain);

    /// Returns nullopt if there is no room.
    std::optional<std::size_t> send(std::span<const std::byte> head, std::span<const std::byte> body,
                                    std::span<const Handle> handles) const;

    /// Waits at most `slice` for one of `events`; returns which of them came.
    short wait_for(short events, std::chrono::nanoseconds slice) const;

    /// Sets `drain` to null when nothing will arrive any more. No lock is held while it sleeps.
    void wait_for_room(Drain*& drain) const;

    Handle socket_;
    bool local_ = false;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/wait.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <new>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_stream_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw_last_error("making a socket pair");
    Handle first{ends[0]};
    return {std::move(first), Handle{ends[1]}};
}

MULTIPROCESSING_INLINE Stream::Stream(Handle socket) : socket_(std::move(socket)) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(socket_.native(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
        throw_last_error("looking at the socket of a Connection");
    local_ = domain == AF_UNIX;
}

MULTIPROCESSING_INLINE std::optional<std::size_t> Stream::read_some(std::span<std::byte> bytes,
                                                                    Deadline deadline, Arrived& arrived) {
    for (;;) {
        const std::optional<std::size_t> got = receive(bytes, deadline.never() ? 0 : MSG_DONTWAIT, arrived);
        if (got) return got;
        if (!wait_one(socket_.native(), deadline)) return std::nullopt;
    }
}

MULTIPROCESSING_INLINE void Stream::write_all(std::span<const std::byte> head, std::span<const std::byte> body,
                                              const std::vector<Handle>& handles, Drain* drain) {
    // A read ends behind the bytes that bring handles, so these tell to which head they belong;
    // the body must not be sent along with them.
    for (std::size_t sent = 0; sent < handles.size(); sent += most_per_byte) {
        const std::size_t count = (std::min)(most_per_byte, handles.size() - sent);
        const bool last = sent + count == handles.size();
        write(last ? head : head.first(1), {}, std::span{handles}.subspan(sent, count), drain);
        head = head.subspan(last ? head.size() : 1);
    }
    write(head, body, {}, drain);
}

MULTIPROCESSING_INLINE std::size_t Stream::write_some(std::span<const std::byte> bytes) {
    return send(bytes, {}, {}).value_or(0);
}

MULTIPROCESSING_INLINE Handle Stream::accept(std::uint64_t) noexcept { return {}; }

MULTIPROCESSING_INLINE bool Stream::is_closed() const {
    pollfd asked{socket_.native(), 0, 0};
    return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLHUP | POLLERR));
}

MULTIPROCESSING_INLINE void Stream::shut(const Handle& socket, bool reading, bool writing) {
    if (!reading && !writing) return;
    const int how = reading && writing ? SHUT_RDWR : reading ? SHUT_RD : SHUT_WR;
    if (::shutdown(socket.native(), how) != 0) throw_last_error("closing one direction of a socket");
}

MULTIPROCESSING_INLINE std::optional<std::size_t> Stream::receive(std::span<std::byte> bytes, int flags,
                                                                  Arrived& arrived) const {
    DescriptorRoom<most_per_byte> room;
    iovec body{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    room.receive_with(message);
    ssize_t got;
    while ((got = ::recvmsg(socket_.native(), &message, flags | MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
        if (errno == ECONNRESET) return 0; // closed while something of ours was unread there
        if (errno != EINTR) throw_last_error("receiving from a Connection");
    }
    room.collect(message, arrived.handles);
    if (message.msg_flags & MSG_CTRUNC) arrived.lost = true;
    return static_cast<std::size_t>(got);
}

MULTIPROCESSING_INLINE void Stream::write(std::span<const std::byte> head, std::span<const std::byte> body,
                                          std::span<const Handle> handles, Drain* drain) {
    while (!head.empty() || !body.empty()) {
        const std::optional<std::size_t> put = send(head, body, handles);
        if (!put) {
            wait_for_room(drain);
            continue;
        }
        const std::size_t of_head = (std::min)(*put, head.size());
        head = head.subspan(of_head);
        body = body.subspan(*put - of_head);
        handles = {}; // they went with the first byte
    }
}

MULTIPROCESSING_INLINE std::optional<std::size_t> Stream::send(std::span<const std::byte> head,
                                                               std::span<const std::byte> body,
                                                               std::span<const Handle> handles) const {
    std::array<iovec, 2> pieces{{{const_cast<std::byte*>(head.data()), head.size()},
                                 {const_cast<std::byte*>(body.data()), body.size()}}};
    DescriptorRoom<most_per_byte> room;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    std::array<int, most_per_byte> descriptors;
    std::transform(handles.begin(), handles.end(), descriptors.begin(),
                   [](const Handle& handle) { return handle.native(); });
    room.send_with(message, std::span(descriptors).first(handles.size()));
    for (;;) {
        const ssize_t put = ::sendmsg(socket_.native(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put >= 0) return static_cast<std::size_t>(put);
        if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
        if (errno == EPIPE || errno == ECONNRESET)
            throw_error(std::make_error_code(std::errc::broken_pipe),
                        "sending to a Connection whose other end is closed");
        if (errno != EINTR) throw_last_error("sending to a Connection");
    }
}

MULTIPROCESSING_INLINE short Stream::wait_for(short events, std::chrono::nanoseconds slice) const {
    pollfd waited{socket_.native(), events, 0};
    const timespec most{0, static_cast<long>(slice.count())};
    const int count = ::ppoll(&waited, 1, &most, nullptr);
    if (count < 0 && errno != EINTR) throw_last_error("waiting for room in a Connection");
    return count > 0 ? waited.revents : short{0};
}

MULTIPROCESSING_INLINE void Stream::wait_for_room(Drain*& drain) const {
    using namespace std::chrono_literals;
    const short events = wait_for(drain ? POLLIN | POLLOUT : POLLOUT, 100ms);
    if (!drain || !(events & POLLIN) || (events & POLLOUT)) return;
    const std::unique_lock reading{drain->reading, std::try_to_lock};
    if (!reading || drain->inbox.is_full() ||
        drain->watchers.load() > 0) { // another thread reads just now; when it stops, it is up to us
        wait_for(POLLOUT, 10ms);
        return;
    }
    try {
        Arrived arrived;
        const auto got = receive(drain->inbox.room(), MSG_DONTWAIT, arrived);
        if (!got) return;
        drain->inbox.added(*got, std::move(arrived));
        drain->inbox.ended = *got == 0;
        if (*got > 0) return;
    } catch (const std::bad_alloc&) {} // in the middle of a message there is no way back: go on without
    drain = nullptr;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
