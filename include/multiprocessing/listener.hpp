#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listener.hpp  Connections between programs that do not descend from each other: Listener
/// and Client.
///
/// Needs OpenSSL's libcrypto (Windows: a library of the system): link the CMake target
/// multiprocessing::remote. Not part of multiprocessing.hpp.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/connection/address.hpp>
#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::connection {

/// The options of a Listener.
struct ListenerOptions {
    /// Default: a socket in a private directory of this user, which is removed even if this process
    /// is killed; or a pipe.
    Address address = {};
    std::optional<std::string> authkey = {}; ///< Both sides must know it. Without one any program may connect.
    Count backlog = {}; ///< How many clients may wait for accept(). Default: 128; of a Windows pipe: one.
    Timeout timeout = std::chrono::seconds{20}; ///< How long the other side has to show that it knows the key.
    bool allow_md5 = false;                     ///< Talk to a Python before 3.12, whose handshake is by MD5.
};

/// The options of a Client.
struct ClientOptions {
    std::optional<std::string> authkey = {};
    Timeout timeout = std::chrono::seconds{20}; ///< For connecting, and for the Listener to answer.
    bool allow_md5 = false;
};

/// Waits at an address for connections: of C++ programs, by Client(), and of Python programs.
/// Move-only; its destructor closes it.
///
/// A Listener belongs to one process. Several threads may call its members: each of those in
/// accept() gets a connection of its own, and close() ends them. While it is moved or destroyed no
/// other thread may use it.
///
/// With an authkey both sides prove to each other that they know it, by CPython's handshake with
/// SHA-256, which does not reveal the key. The messages that follow are neither encrypted nor
/// signed, so over a network they are readable and forgeable. The handshake does not prove the
/// identity of a side either: a program in between, to which a Client connects, can pass the
/// handshake on to the true Listener, and then read and change the messages. Programs of this
/// library also notice a program without the key that lets one client answer the challenge of
/// another, as their challenges name the asking side; a client of CPython does not notice that.
///
/// Typed messages (send, recv) are for programs of the same build, and are not safe against an
/// attacker; bytes (send_bytes, recv_bytes) are for all programs.
///
/// Python: `multiprocessing.connection.Listener`.
class Listener {
public:
    /// Listens at the address. Throws `std::system_error` if the address is in use or not allowed,
    /// `std::invalid_argument` for a kind of address that this platform does not have.
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

    /// Waits for the next connection and returns it. Throws AuthenticationError for a client that
    /// has a wrong key or none, does not answer in time, or sends something else than a handshake:
    /// its connection is closed, and the Listener goes on. Other clients are accepted meanwhile.
    /// Throws TimeoutError after the timeout; `std::system_error`: bad_file_descriptor when the
    /// Listener is closed, before or during the call, too_many_files_open when this process can
    /// open no more. Python: `Listener.accept`.
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
        state.last_accepted = detail::address_of(std::move(accepted->peer));
        return Connection(std::move(*accepted).into_transport(), true, true);
    }

    /// Returns the address for a Client, with the port that was chosen for port 0. Python:
    /// `Listener.address`.
    Address address() const { return open().address; }

    /// Returns the address of the client that was accepted last: host and port; mostly empty for a
    /// path. Python: `Listener.last_accepted`.
    std::optional<Address> last_accepted() const {
        State& state = open();
        std::lock_guard lock{state.mutex};
        return state.last_accepted;
    }

    /// Stops listening. When it returns, the address is free and the socket is removed from the
    /// file system. An accept() in another thread throws bad_file_descriptor. Accepted connections
    /// stay open. A second close() does nothing.
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

    /// Makes connection::wait() wait for a client: ready while one waits for accept(). Valid until
    /// close(), wherever the Listener is moved to.
    ///
    /// Without an authkey accept() then returns at once, unless another thread was faster. With an
    /// authkey the handshake follows, and lasts until the client has answered; accept() waits for
    /// that, until its timeout. If accept() throws TimeoutError within a handshake, the next
    /// accept() continues it, and the Listener becomes ready when that client has answered or gone:
    /// a program that waits for many things calls `accept(0s)`. On Windows a Listener is ready for
    /// new clients only: call accept() there with the time that a handshake may take.
    ///
    /// Throws `std::system_error` (bad_file_descriptor) if the Listener is closed. Python: the
    /// listening socket.
    operator Waitable() const& { return native(open().handle); }
    operator Waitable() const&& = delete; // it would be closed before the wait

private:
    struct State {
        explicit State(ListenerOptions options)
            : acceptor(std::in_place, detail::endpoint_of(options.address),
                       static_cast<int>((std::min)(options.backlog.value_or(128), most_waiting)),
                       std::move(options.authkey), options.allow_md5, options.timeout) {}

        static constexpr std::size_t most_waiting = 65'535;

        /// The calling thread is the only one in accept().
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

        std::mutex mutex; // not held while a thread waits in accept()
        std::condition_variable left;
        bool accepting = false; // a thread is in accept(), and has the acceptor
        std::atomic<bool> closed{false};
        std::optional<detail::Acceptor> acceptor;
        const Address address = detail::address_of(acceptor->listening().endpoint());
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

/// Connects to a Listener and returns the connection. Throws `std::system_error` if no Listener is
/// there; AuthenticationError if it has another key or does not answer. Python:
/// `multiprocessing.connection.Client`.
inline Connection Client(const Address& address, ClientOptions options = {}) {
    return Connection(detail::connect_transport(detail::endpoint_of(address), options.authkey,
                                                options.allow_md5, detail::Deadline::after(options.timeout)),
                      true, true);
}

} // namespace multiprocessing::inline v1::connection
