#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  Connections between programs that do not descend from each other: Listener
/// and Client.
///
/// Needs OpenSSL's libcrypto (Windows: a library of the system): link the CMake target
/// multiprocessing::remote. Not part of multiprocessing.hpp.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::connection {

struct ClientOptions;

/// Where a Listener listens: a path, or host and port. Small; crosses by value, and compares.
///
/// A path is that of a socket in the file system, or a name that begins with a null byte (Linux: it
/// is in no file system), or of a pipe, `\\.\pipe\name` (Windows). Host and port are of TCP; the
/// empty host is all of this machine's addresses. Without anything it is a place of the library's
/// choice. Python: `address`.
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
    /// Default: a socket in a folder of this user's own, which goes even if this process is killed;
    /// or a pipe.
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

/// Waits at an address for others to connect: C++ programs with Client(), or Python ones.
/// Move-only; closed by its destructor. Of one process; its members may be called by several
/// threads: of those in accept() each gets a connection, and close() ends them. Moving and
/// destroying it is for when nobody else uses it.
///
/// With an authkey both sides show each other that they know it, by CPython's handshake with
/// SHA-256, so that neither of them shows it. What is said afterwards is neither encrypted nor
/// signed: over a network it is no more secret than that. Nor does the handshake tell *whom* one
/// talks to: somebody in between, to whom a Client connects, can hand all of it on to the true
/// Listener, and then read and write what is said. And somebody without the key, to whom two
/// clients connect, could have the second answer what the first has asked, and so be taken for a
/// Listener by the first: programs of this library notice that, as their challenges say who asks; a
/// client of CPython, which answers any, does not. Messages of types (send, recv) are for programs
/// of one build, and not safe against an enemy; bytes (send_bytes) are for all.
///
/// Python: `multiprocessing.connection.Listener`.
class Listener {
public:
    /// Throws `std::system_error` if the address is taken or not ours, `std::invalid_argument` for
    /// one that this platform does not have.
    explicit Listener(ListenerOptions options = {}) : state_(std::make_shared<State>(std::move(options))) {}

    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&& other) noexcept {
        if (this != &other) {
            close();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~Listener() { close(); }

    /// Waits for the next connection. Throws AuthenticationError for one whose other side has the
    /// wrong key, or none, does not answer in time, or sends what is no handshake: that one is
    /// closed, and the Listener goes on. While such are waited for, others are accepted.
    /// TimeoutError when the time is over; `std::system_error`: bad_file_descriptor when it is
    /// closed, before or meanwhile, too_many_files_open when this process can open no more. Python:
    /// `Listener.accept`.
    Connection accept(Timeout timeout = no_timeout) {
        const auto deadline = detail::Deadline::after(timeout);
        State& state = open();
        const std::shared_ptr<State> kept = state_; // as long as this waits
        const State::RecoveringLockGuard turn{state, deadline};
        if (state.closed.load()) refuse();
        auto accepted = turn.is_mine() ? state.acceptor->accept(deadline) : std::nullopt;
        if (state.closed.load()) refuse(); // a connection that came in the same instant is closed with it
        if (!accepted)
            throw TimeoutError(
                "multiprocessing: no connection to the Listener came in time: call accept() again");
        std::lock_guard lock{state.mutex};
        state.last_accepted = Address(std::move(accepted->peer));
        return Connection(std::move(accepted->transport), true, true);
    }

    /// Where it listens, as a Client needs it: of host and port 0, the port. Python:
    /// `Listener.address`.
    Address address() const { return open().address; }

    /// Who was accepted last: host and port; of a path most often nothing. Python:
    /// `Listener.last_accepted`.
    std::optional<Address> last_accepted() const {
        State& state = open();
        std::lock_guard lock{state.mutex};
        return state.last_accepted;
    }

    /// Connections that were accepted stay. The address is free, and the socket in the file system
    /// removed, when it returns; an accept() of another thread ends with bad_file_descriptor.
    /// Closing once more does no harm.
    void close() noexcept {
        if (!state_) return;
        if (!state_->origin.is_here()) {
            // Of the process that this one is a copy of. A thread that was in there is not here,
            // and never comes out.
            static_cast<void>(new (std::nothrow) std::shared_ptr<State>(std::move(state_)));
            return;
        }
        state_->close();
    }

    /// For connection::wait(): ready while a client waits for accept(). Valid until close(),
    /// wherever the Listener is moved to.
    ///
    /// Without an authkey accept() then returns at once, unless another thread was faster. With one
    /// the handshake is still to come, and lasts until the client has answered: accept() waits for
    /// that, for as long as it may. An accept() that throws TimeoutError within a handshake leaves
    /// it to the next accept(): until then the Listener is ready when that client has answered or
    /// gone, so a program that waits for many things calls `accept(0s)`. On Windows it is ready for
    /// new clients only: call accept() there with the time that a handshake may take. Throws
    /// `std::system_error` (bad_file_descriptor) if it is closed. Python: the listening socket.
    operator Waitable() const& { return native(open().handle); }
    operator Waitable() const&& = delete; // it would be closed before the wait

private:
    struct State {
        explicit State(ListenerOptions options)
            : acceptor(std::in_place, options.address.endpoint_,
                       static_cast<int>((std::min)(options.backlog.value_or(128), most_waiting)),
                       std::move(options.authkey), options.allow_md5, options.timeout) {}

        static constexpr std::size_t most_waiting = 65'535;

        /// Being the one thread in accept().
        class RecoveringLockGuard {
        public:
            RecoveringLockGuard(State& state, const detail::Deadline& deadline) : state_(state) {
                std::unique_lock lock{state_.mutex};
                const auto free = [&] { return !state_.accepting || state_.closed.load(); };
                while (!free() && !deadline.passed())
                    state_.left.wait_for(lock, deadline.left(std::chrono::hours{1}));
                mine_ = !state_.accepting && !state_.closed.load();
                if (mine_) state_.accepting = true;
            }
            RecoveringLockGuard(const RecoveringLockGuard&) = delete;
            RecoveringLockGuard& operator=(const RecoveringLockGuard&) = delete;
            ~RecoveringLockGuard() {
                if (!mine_) return;
                std::lock_guard lock{state_.mutex};
                state_.accepting = false;
                state_.left.notify_all(); // holding the mutex: afterwards the State may be gone
            }
            bool is_mine() const noexcept { return mine_; }

        private:
            State& state_;
            bool mine_ = false;
        };

        void close() noexcept {
            std::unique_lock lock{mutex};
            closed.store(true);
            if (accepting) acceptor->interrupt();
            left.notify_all();
            left.wait(lock, [&] { return !accepting; });
            acceptor.reset();
        }

        std::mutex mutex; // not held while somebody waits in accept()
        std::condition_variable left;
        bool accepting = false; // a thread is in accept(), and has the acceptor
        std::atomic<bool> closed{false};
        std::optional<detail::Acceptor> acceptor;
        const Address address{acceptor->listening().endpoint()};
        const detail::platform::NativeHandle handle = acceptor->listening().waitable();
        std::optional<Address> last_accepted;
        const detail::ForkOrigin origin;
    };

    [[noreturn]] static void refuse() {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "multiprocessing: this Listener is closed, or was moved away");
    }

    State& open() const {
        if (!state_) refuse();
        state_->origin.require_here("this Listener", "listen on another address, or pass accepted Connections");
        if (state_->closed.load()) refuse();
        return *state_;
    }

    std::shared_ptr<State> state_;
};

/// Connects to a Listener. Throws `std::system_error` if there is none; AuthenticationError if it
/// has another key or no answer. Python: `multiprocessing.connection.Client`.
inline Connection Client(const Address& address, ClientOptions options = {}) {
    return Connection(detail::connect_transport(address.endpoint_, options.authkey, options.allow_md5,
                                                detail::Deadline::after(options.timeout)),
                      true, true);
}

} // namespace multiprocessing::inline v1::connection
