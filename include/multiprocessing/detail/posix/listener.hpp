#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  POSIX twin: sockets, AF_UNIX and TCP.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Any socket's address, as the system's calls take it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;

    sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline std::string text_of(const Endpoint& endpoint) {
    if (endpoint.is_network()) return endpoint.host + ":" + std::to_string(endpoint.port);
    return endpoint.path.starts_with('\0') ? "@" + endpoint.path.substr(1) : endpoint.path;
}

inline SocketAddress address_of_path(const std::string& path) {
    SocketAddress address;
    auto* const local = reinterpret_cast<sockaddr_un*>(&address.storage);
    local->sun_family = AF_UNIX;
    if (path.starts_with("\\\\"))
        throw std::invalid_argument("multiprocessing: '" + path +
                                    "' is the name of a Windows pipe, and this is no Windows");
    const bool is_abstract = path.starts_with('\0');
    if (path.size() + !is_abstract > sizeof local->sun_path) {
        throw std::invalid_argument("multiprocessing: the path of a socket has at most " +
                                    std::to_string(sizeof local->sun_path - 1) + " bytes, this one " +
                                    std::to_string(path.size()) + ": " + path);
    }
    if (!is_abstract && path.find('\0') != std::string::npos)
        throw std::invalid_argument("multiprocessing: the path of a socket contains a null byte");
    std::memcpy(local->sun_path, path.data(), path.size());
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + !is_abstract);
    return address;
}

/// Asks the resolver of the system. CPython takes the addresses of IPv4 only; we take others if
/// there are no such.
inline SocketAddress address_of_host(const Endpoint& endpoint, bool to_listen) {
    addrinfo hints{};
    hints.ai_family = endpoint.host.find(':') == std::string::npos ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = to_listen ? AI_PASSIVE : 0;
    const char* const host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
    const std::string port = std::to_string(endpoint.port);
    addrinfo* found = nullptr;
    int error = ::getaddrinfo(host, port.c_str(), &hints, &found);
    if (error != 0 && hints.ai_family == AF_INET) {
        hints.ai_family = AF_UNSPEC;
        error = ::getaddrinfo(host, port.c_str(), &hints, &found);
    }
    if (error != 0) {
        throw_error(error == EAI_SYSTEM ? last_error() : std::make_error_code(std::errc::host_unreachable),
                    "looking up the host '" + endpoint.host + "': " + ::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
    SocketAddress address;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.size = list->ai_addrlen;
    return address;
}

inline SocketAddress address_of(const Endpoint& endpoint, bool to_listen) {
    if (endpoint.port > 65'535)
        throw std::invalid_argument("multiprocessing: " + std::to_string(endpoint.port) +
                                    " is no port; ports go up to 65535");
    return endpoint.is_network() ? address_of_host(endpoint, to_listen) : address_of_path(endpoint.path);
}

inline Endpoint endpoint_of(const SocketAddress& address) {
    Endpoint endpoint;
    if (address.storage.ss_family == AF_UNIX) {
        const auto* const local = reinterpret_cast<const sockaddr_un*>(&address.storage);
        const std::size_t size = address.size - offsetof(sockaddr_un, sun_path);
        if (address.size > offsetof(sockaddr_un, sun_path))
            endpoint.path.assign(local->sun_path, local->sun_path[0] ? ::strnlen(local->sun_path, size) : size);
        return endpoint;
    }
    char host[NI_MAXHOST] = "";
    char port[NI_MAXSERV] = "0";
    ::getnameinfo(address.get(), address.size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV);
    endpoint.host = host;
    endpoint.port = std::atoi(port);
    return endpoint;
}

inline Handle make_socket(int family, int flags) {
    Handle socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
    if (!socket.valid()) throw_last_error("making a socket");
    return socket;
}

/// Has small messages leave at once.
inline void do_not_delay(const Handle& socket, int family) noexcept {
    const int on = 1;
    if (family != AF_UNIX) ::setsockopt(socket.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline void keep_alive(const Handle& socket) noexcept {
    const auto set = [&](int level, int option, int value) {
        ::setsockopt(socket.native(), level, option, &value, sizeof value); // fails where it means nothing
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 25'000);
}

inline std::string random_hex(std::size_t digits) {
    std::array<std::byte, 16> random;
    fill_random(random);
    std::string text;
    for (std::size_t i = 0; i < digits; ++i) text += "0123456789abcdef"[static_cast<unsigned>(random[i]) & 15];
    return text;
}

/// Makes a directory that only this user may enter, for a socket in it. The janitor knows where
/// they are, and their names. Calls `note(identity)` before it is made.
template <class Note>
std::string make_private_directory(Note& note) {
    constexpr std::size_t most = sizeof(sockaddr_un::sun_path) - sizeof "/sock-0123456789ab";
    constexpr std::size_t random_letters = 12;
    std::string begin = directory_of_temporary_files() + "/" + socket_directory_prefix;
    if (begin.size() + random_letters > most) begin = std::string("/tmp/") + socket_directory_prefix;
    const std::string directory = begin + random_hex(random_letters);
    note(identity_of_directory(directory));
    if (::mkdir(directory.c_str(), 0700) != 0)
        throw_last_error("making a directory for a socket, " + directory);
    return directory;
}

class Listening {
public:
    template <class Note>
    Listening(Endpoint wanted, int backlog, Note&& note) {
        if (!wanted.is_network() && wanted.path.empty()) {
            directory_ = make_private_directory(note);
            wanted.path = directory_ + "/sock-" + random_hex(12);
        }
        try {
            listen(wanted, backlog);
            include(socket_.native());
        } catch (...) {
            remove();
            throw;
        }
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    ~Listening() { remove(); }

    const Endpoint& endpoint() const noexcept { return endpoint_; }
    NativeHandle handle() const noexcept { return socket_.native(); }

    NativeHandle waitable() const noexcept { return all_.native(); }
    void include(NativeHandle end) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (::epoll_ctl(all_.native(), EPOLL_CTL_ADD, end, &event) != 0)
            throw_last_error("watching a connection at " + text_of(endpoint_));
    }
    // To close the end is not enough: a copy that a fork made may have it open.
    void exclude(NativeHandle end) noexcept { ::epoll_ctl(all_.native(), EPOLL_CTL_DEL, end, nullptr); }

    std::optional<Handle> accept(Endpoint& peer) {
        for (;;) {
            SocketAddress from;
            const int end = ::accept4(socket_.native(), from.get(), &from.size, SOCK_CLOEXEC);
            if (end >= 0) {
                Handle accepted{end};
                do_not_delay(accepted, from.storage.ss_family);
                peer = endpoint_of(from);
                return accepted;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
            // Errors of the connection that was to come, not ours: accept(2) has the list.
            const bool of_network = errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN ||
                                    errno == ENOPROTOOPT || errno == EHOSTDOWN || errno == ENONET ||
                                    errno == EHOSTUNREACH || errno == ENETUNREACH;
            if (errno != EINTR && !of_network)
                throw_last_error("accepting a connection at " + text_of(endpoint_));
        }
    }

private:
    void listen(const Endpoint& wanted, int backlog) {
        SocketAddress address = address_of(wanted, true);
        const int family = address.storage.ss_family;
        socket_ = make_socket(family, SOCK_NONBLOCK); // the client may be gone when it is accepted
        const int on = 1;
        if (family != AF_UNIX) ::setsockopt(socket_.native(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(socket_.native(), address.get(), address.size) != 0) {
            throw_last_error("listening at " + text_of(wanted) +
                             (family == AF_UNIX && errno == EADDRINUSE
                                  ? " (remove that file if nobody listens there)"
                                  : ""));
        }
        if (family == AF_UNIX && !wanted.path.starts_with('\0')) made_ = wanted.path;
        if (::listen(socket_.native(), backlog) != 0) throw_last_error("listening at " + text_of(wanted));
        endpoint_ = wanted;
        if (family == AF_UNIX) return;
        if (::getsockname(socket_.native(), address.get(), &address.size) != 0)
            throw_last_error("asking for a socket's port");
        endpoint_ = endpoint_of(address);
    }

    void remove() noexcept {
        const bool is_ours = pid_ == current_pid();
        if (is_ours && !made_.empty()) ::unlink(made_.c_str());
        if (is_ours && !directory_.empty()) ::rmdir(directory_.c_str());
        made_.clear();
        directory_.clear();
    }

    static Handle make_set() {
        Handle set{::epoll_create1(EPOLL_CLOEXEC)};
        if (!set.valid()) throw_last_error("making a set of what to wait for");
        return set;
    }

    Handle all_ = make_set(); // the socket, and what else is included
    Handle socket_;
    Endpoint endpoint_;
    std::string made_;      // path of the socket
    std::string directory_; // that it is in, if that is ours
    int pid_ = current_pid();
};

inline Handle connect(const Endpoint& endpoint, Deadline deadline) {
    const SocketAddress address = address_of(endpoint, false);
    Handle socket = make_socket(address.storage.ss_family, SOCK_NONBLOCK);
    const std::string what = "connecting to " + text_of(endpoint);
    while (::connect(socket.native(), address.get(), address.size) != 0) {
        if (errno == EINTR) continue;
        if (errno == EISCONN) break;
        if (errno == EAGAIN) { // the listener's queue is full, and there is nothing to wait for
            if (deadline.passed()) throw_error(std::make_error_code(std::errc::timed_out), what);
            wait_any({}, Deadline::after(std::chrono::milliseconds{5}).sooner(deadline));
            continue;
        }
        if (errno != EINPROGRESS && errno != EALREADY) throw_last_error(what);
        pollfd waited{socket.native(), POLLOUT, 0};
        const timespec slice{0, 100'000'000};
        while (::ppoll(&waited, 1, &slice, nullptr) <= 0) {
            if (deadline.passed()) throw_error(std::make_error_code(std::errc::timed_out), what);
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket.native(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) throw_error({error, std::generic_category()}, what);
        break;
    }
    const int flags = ::fcntl(socket.native(), F_GETFL);
    ::fcntl(socket.native(), F_SETFL, flags & ~O_NONBLOCK);
    do_not_delay(socket, address.storage.ss_family);
    return socket;
}

} // namespace multiprocessing::inline v1::detail::platform
