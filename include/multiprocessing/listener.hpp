#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  Connections between programs that do not descend from each other: Listener and Client.
///
/// Needs OpenSSL's libcrypto (Windows: a library of the system): link the CMake target multiprocessing::remote. Not part of
/// multiprocessing.hpp.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/accepting.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/listening.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/options.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::connection {

struct ClientOptions;

/// Where a Listener listens: a path, or host and port. Small; crosses by value, and compares.
///
/// A path is that of a socket in the file system, or a name that begins with a null byte (Linux: it is in no file system), or of
/// a pipe, `\\.\pipe\name` (Windows). Host and port are of TCP; the empty host is all of this machine's addresses. Without
/// anything it is a place of the library's choice. Python: `address`.
class Address {
public:
    Address() = default;
    Address(const char* path) : Address(std::string(path)) {}
    Address(std::string path) { endpoint_.path = std::move(path); }
    Address(const std::filesystem::path& path) : Address(path.string()) {}
    /// Port 0, of a Listener: one that is free. Throws `std::invalid_argument` for what is no port.
    Address(std::string host, int port) {
        if (port < 0 || port > 65'535)
            throw std::invalid_argument("multiprocessing: " + std::to_string(port) +
                                        " is no port; they go from 0 to 65535");
        endpoint_.host = std::move(host);
        endpoint_.port = port;
    }

    /// Empty if it is host and port.
    const std::string& path() const noexcept { return endpoint_.path; }
    const std::string& host() const noexcept { return endpoint_.host; }
    /// 0 if it is a path.
    int port() const noexcept { return (std::max)(endpoint_.port, 0); }

    friend bool operator==(const Address&, const Address&) = default;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(endpoint_.path, endpoint_.host, endpoint_.port);
    }

private:
    friend class Listener;
    friend Connection Client(const Address& address, ClientOptions options);
    explicit Address(detail::platform::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

    detail::platform::Endpoint endpoint_;
};

/// How a Listener is made.
struct ListenerOptions {
    /// Default: a socket in a folder of this user's own, which goes even if this process is killed; or a pipe.
    Address address = {};
    std::optional<std::string> authkey = {}; ///< Both sides must know it. Without one, anybody may connect.
    Count backlog = {}; ///< So many may wait for accept(). Default: 128. Of a Windows pipe: one.
    Timeout timeout = std::chrono::seconds{20}; ///< How long the other side has to show that it knows the key.
    bool allow_md5 = false;                     ///< Talk to a Python before 3.12, whose handshake is by MD5.
};

/// How a Client connects.
struct ClientOptions {
    std::optional<std::string> authkey = {};
    Timeout timeout = std::chrono::seconds{20}; ///< For connecting, and for the Listener to answer.
    bool allow_md5 = false;
};

/// Waits at an address for others to connect: C++ programs with Client(), or Python ones. Move-only; closed by its destructor. Of
/// one process; its members may be called by several threads, which take turns.
///
/// With an authkey both sides show each other that they know it, by CPython's handshake with SHA-256, so that neither of them shows
/// it. What is said afterwards is neither encrypted nor signed: over a network it is no more secret than that.
/// Messages of types (send, recv) are for programs of one build, and not safe against an enemy; bytes (send_bytes) are for all.
///
/// Python: `multiprocessing.connection.Listener`.
class Listener {
public:
    /// Throws `std::system_error` if the address is taken or not ours, `std::invalid_argument` for one that this platform does
    /// not have.
    explicit Listener(ListenerOptions options = {}) : state_(std::make_unique<State>(std::move(options))) {}

    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&&) noexcept = default;

    /// Waits for the next connection. Throws AuthenticationError for one whose other side has the wrong key, or none, does not
    /// answer in time, or sends what is no handshake: that one is closed, and the Listener goes on. While such are
    /// waited for, others are accepted. TimeoutError when the time is over; `std::system_error` (too_many_files_open)
    /// when this process can open no more. Python: `Listener.accept`.
    Connection accept(Timeout timeout = no_timeout) {
        State& state = open();
        std::lock_guard lock{state.mutex};
        auto accepted = state.acceptor.accept(detail::Deadline::after(timeout));
        if (!accepted) throw TimeoutError("multiprocessing: nobody connected to the Listener in time");
        state.last_accepted = Address(std::move(accepted->peer));
        return Connection(std::move(accepted->transport), true, true);
    }

    /// Where it listens, as a Client needs it: of host and port 0, the port. Python: `Listener.address`.
    Address address() const { return Address(open().acceptor.listening().endpoint()); }

    /// Who was accepted last: host and port; of a path most often nothing. Python: `Listener.last_accepted`.
    std::optional<Address> last_accepted() const {
        State& state = open();
        std::lock_guard lock{state.mutex};
        return state.last_accepted;
    }

    /// Connections that were accepted stay. The socket in the file system is removed. Closing once more does no harm.
    void close() noexcept { state_.reset(); }

    /// For wait(): ready when somebody connects, who has not shown yet that he knows the key.
    operator Waitable() const { return Waitable(Sentinel(open().acceptor.listening().handle())); }

private:
    struct State {
        explicit State(ListenerOptions options)
            : acceptor(options.address.endpoint_,
                       static_cast<int>((std::min)(options.backlog.value_or(128), most_waiting)),
                       std::move(options.authkey), options.allow_md5, options.timeout) {}

        static constexpr std::size_t most_waiting = 65'535;

        std::mutex mutex;
        detail::Acceptor acceptor;
        std::optional<Address> last_accepted;
        std::uint32_t copies = detail::self().copies();
    };

    State& open() const {
        if (!state_) {
            throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                    "multiprocessing: this Listener is closed, or was moved away");
        }
        if (state_->copies != detail::self().copies())
            throw std::logic_error(
                "multiprocessing: this Listener belongs to the process that made it, which is another one");
        return *state_;
    }

    std::unique_ptr<State> state_;
};

/// Connects to a Listener. Throws `std::system_error` if there is none; AuthenticationError if it has another key or no
/// answer. Python: `multiprocessing.connection.Client`.
inline Connection Client(const Address& address, ClientOptions options = {}) {
    return Connection(detail::connect_transport(address.endpoint_, options.authkey, options.allow_md5,
                                                detail::Deadline::after(options.timeout)),
                      true, true);
}

} // namespace multiprocessing::inline v1::connection
