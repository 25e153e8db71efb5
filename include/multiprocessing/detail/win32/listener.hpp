#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  Win32 twin: named pipes of bytes, and TCP.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/win32/api.hpp>
#include <multiprocessing/detail/win32/socket.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/event.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/pipes.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline std::wstring pipe_name_of(const Endpoint& endpoint) {
    if (!endpoint.path.starts_with("\\\\")) {
        throw std::invalid_argument("multiprocessing: '" + endpoint.path +
                                    "' is no name of a pipe; on Windows these begin with \\\\.\\pipe\\");
    }
    return wide(endpoint.path);
}

/// A named pipe, of which one end more than there are clients waits for the next one.
class ListeningPipe {
public:
    explicit ListeningPipe(const Endpoint& endpoint) : name_(pipe_name_of(endpoint)) { next(true); }
    ListeningPipe(const ListeningPipe&) = delete;
    ListeningPipe& operator=(const ListeningPipe&) = delete;
    ~ListeningPipe() {
        if (waiting_.valid() && !connected_) connecting_.end(waiting_, true);
    }

    NativeHandle handle() const noexcept { return connecting_.event(); }

    std::optional<Handle> accept() {
        if (!wait_one(connecting_.event(), Deadline::after(std::chrono::seconds{0}))) return std::nullopt;
        const winapi::DWORD_ error = connected_ ? 0 : connecting_.end(waiting_, false).error;
        Handle accepted = std::move(waiting_);
        next(false);
        if (error) return std::nullopt; // gone already
        return accepted;
    }

private:
    void next(bool first) {
        constexpr winapi::DWORD_ unlimited = 255;
        constexpr winapi::DWORD_ already_connected = 535;
        waiting_ = make_pipe_end(name_, first, unlimited);
        const winapi::DWORD_ error = connecting_.begin([&](winapi::OVERLAPPED_* overlapped) {
            return winapi::ConnectNamedPipe(waiting_.native(), overlapped);
        });
        connected_ = error != 0; // or gone again, which a read will tell
        if (connected_) winapi::SetEvent(connecting_.event());
        if (error != 0 && error != already_connected && error != winapi::ERROR_NO_DATA_)
            throw_error({static_cast<int>(error), std::system_category()}, "waiting at " + narrow(name_));
    }

    std::wstring name_;
    Handle waiting_;
    bool connected_ = false;
    Overlapped connecting_;
};

class ListeningSocket {
public:
    ListeningSocket(Endpoint& endpoint, int backlog) {
        const Winsock& winsock = Winsock::get();
        SocketAddress address = address_of(endpoint, true);
        socket_ = winsock.make(family_of(address));
        const NativeSocket native = Winsock::native_of(socket_);
        const std::string what = "listening at " + endpoint.host + ":" + std::to_string(endpoint.port);
        if (winsock.bind(native, address.bytes.data(), address.size) != 0) winsock.fail(what);
        if (winsock.listen(native, backlog) != 0) winsock.fail(what);
        if (winsock.select_events(native, event_.handle().native(), Winsock::on_accept) != 0)
            winsock.fail(what);
        address.size = static_cast<int>(address.bytes.size());
        if (winsock.name_of(native, address.bytes.data(), &address.size) != 0) winsock.fail(what);
        endpoint = endpoint_of(address);
    }

    NativeHandle handle() const noexcept { return event_.handle().native(); }

    std::optional<Handle> accept(Endpoint& peer) {
        const Winsock& winsock = Winsock::get();
        event_.silence(); // the call sets it again if there are more
        SocketAddress from;
        const NativeSocket end = winsock.accept(Winsock::native_of(socket_), from.bytes.data(), &from.size);
        if (end == Winsock::invalid) {
            if (winsock.last_error() == Winsock::would_block) return std::nullopt;
            winsock.fail("accepting a connection");
        }
        Handle accepted{reinterpret_cast<NativeHandle>(end)};
        winsock.make_plain(accepted);
        peer = endpoint_of(from);
        return accepted;
    }

private:
    Doorbell event_;
    Handle socket_;
};

class Listening {
public:
    template <class Note>
    Listening(Endpoint wanted, int backlog, Note&&) // a pipe's name goes with its process
        : endpoint_(std::move(wanted)) {
        if (endpoint_.is_network()) {
            socket_ = std::make_unique<ListeningSocket>(endpoint_, backlog);
        } else {
            if (endpoint_.path.empty()) endpoint_.path = narrow(random_pipe_name());
            pipe_ = std::make_unique<ListeningPipe>(endpoint_);
        }
    }

    const Endpoint& endpoint() const noexcept { return endpoint_; }
    NativeHandle handle() const noexcept { return socket_ ? socket_->handle() : pipe_->handle(); }
    NativeHandle waitable() const noexcept { return handle(); }
    void include(NativeHandle) noexcept {}
    void exclude(NativeHandle) noexcept {}
    std::optional<Handle> accept(Endpoint& peer) {
        peer = {};
        return socket_ ? socket_->accept(peer) : pipe_->accept();
    }

private:
    Endpoint endpoint_;
    std::unique_ptr<ListeningPipe> pipe_;
    std::unique_ptr<ListeningSocket> socket_;
};

/// For pipes, which are no sockets, the calls fail, and nothing is needed. Windows before
/// 10.0.16299 knows the times of the system only.
inline void keep_alive(const Handle& end) noexcept {
    try {
        const Winsock& winsock = Winsock::get();
        constexpr int of_sockets = 0xffff; // SOL_SOCKET
        const auto set = [&](int level, int option, char value) {
            const char bytes[4] = {value, 0, 0, 0};
            winsock.set_option(Winsock::native_of(end), level, option, bytes, sizeof bytes);
        };
        set(of_sockets, 8, 1);            // SO_KEEPALIVE
        set(Winsock::tcp, 3, 10);         // TCP_KEEPIDLE
        set(Winsock::tcp, 17, 5);         // TCP_KEEPINTVL
        set(Winsock::tcp, 16, 3);         // TCP_KEEPCNT
    } catch (const std::system_error&) {} // no Winsock, so no socket
}

inline Handle connect_socket(const Endpoint& endpoint, Deadline deadline) {
    const Winsock& winsock = Winsock::get();
    const SocketAddress address = address_of(endpoint, false);
    Handle socket = winsock.make(family_of(address));
    const NativeSocket native = Winsock::native_of(socket);
    const std::string what = "connecting to " + endpoint.host + ":" + std::to_string(endpoint.port);
    const Doorbell connected;
    if (winsock.select_events(native, connected.handle().native(), Winsock::on_connect) != 0)
        winsock.fail(what);
    if (winsock.connect(native, address.bytes.data(), address.size) != 0) {
        if (winsock.last_error() != Winsock::would_block) winsock.fail(what);
        if (!wait_one(connected.handle().native(), deadline))
            throw_error(std::make_error_code(std::errc::timed_out), what);
        SocketEvents events{};
        if (winsock.events_of(native, connected.handle().native(), &events) != 0) winsock.fail(what);
        if (const int error = events.errors[Winsock::connect_bit])
            throw_error({error, std::system_category()}, what);
    }
    winsock.make_plain(socket);
    return socket;
}

inline Handle connect(const Endpoint& endpoint, Deadline deadline) {
    if (endpoint.is_network()) return connect_socket(endpoint, deadline);
    const std::wstring name = pipe_name_of(endpoint);
    for (;;) {
        Handle end = open_pipe_end(name);
        if (end.valid()) return end;
        constexpr winapi::DWORD_ pipe_busy = 231;
        if (winapi::GetLastError() != pipe_busy) throw_last_error("connecting to " + endpoint.path);
        if (deadline.passed())
            throw_error(std::make_error_code(std::errc::timed_out), "connecting to " + endpoint.path);
        wait_any({}, Deadline::after(std::chrono::milliseconds{5}).sooner(deadline));
    }
}

} // namespace multiprocessing::inline v1::detail::platform
