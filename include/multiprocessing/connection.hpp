#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file connection.hpp  Messages between two processes: Pipe(), Connection, and waiting for any of
/// many.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/message_contexts.hpp>
#include <multiprocessing/detail/connection/ring_transport.hpp>
#include <multiprocessing/detail/connection/stream_transport.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/connection/wait_any.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/ring/item.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace connection {
class Waitable;
}

/// One end of a two-way or one-way connection. Move-only; closed by its destructor.
///
/// It belongs to one process. It is handed to another one by moving it into the arguments of a
/// Process or an initializer, by itself or inside of something, or by sending it over another
/// Connection: here it is closed then. dup() makes one to hand over and one to keep. The tasks of a
/// Pool, whose workers run already, cannot have it; their initializer can. Used in a process that
/// it was not handed to, it throws `std::logic_error`.
///
/// Any thread may send while any other receives; two that send, or two that receive, take turns,
/// message by message. poll() and connection::wait() count as receiving. close() and moves are for
/// when nobody else uses it.
///
/// A process that is stopped (SIGSTOP, a debugger) while it sends or receives lives, and has the
/// message in its hands: who receives without a timeout waits for it, poll() and wait() no longer
/// than they are told. What is in the Pipe before that can be received.
///
/// A send waits while much is on its way that was not received: 4 MiB of a Pipe; what the system
/// holds (some hundred kilobytes) of a Listener's connection. If both ends send much at once
/// neither of them waits for the other (over a Listener's connection up to 256 MiB). A thread that
/// sends much to itself waits for ever.
///
/// Messages of a Pipe go through shared memory: a process that is killed while it sends or receives
/// leaves the others a whole message or none. From when a Connection is sent over the Pipe, an end
/// of it is sent over a Connection, or fileno() is asked for, they go through a stream of the
/// system instead, which is slower, and may end within a message. There the messages are those of
/// CPython's `Connection`.
///
/// Throws `std::system_error`: bad_file_descriptor if it is closed, or does not receive or send;
/// broken_pipe if the other end is closed, never a signal. (Of a Pipe whose other end was killed,
/// up to 128 messages may be sent before that is noticed.)
///
/// Python: `multiprocessing.connection.Connection`.
class Connection {
public:
    using multiprocessing_owned_handle = void; // Spawnable, and may be sent over a Connection

    /// A closed one, as a member that is to be assigned.
    Connection() noexcept = default;
    Connection(Connection&&) noexcept = default;
    Connection& operator=(Connection&&) noexcept = default;

    /// `<multiprocessing.connection.Connection object at 0x7f1798d80990>`. Python:
    /// `repr(connection)`.
    std::string repr() const {
        return "<multiprocessing.connection.Connection object at " + detail::shown_address(transport_.get()) +
               ">";
    }

    /// Sends a value, as dumps() makes bytes of it. Strings as they are in C are sent as
    /// `std::string`. What holds a Connection has to be moved here; there are up to 1000 of them in
    /// a message, over a Pipe or a local Listener. If it throws, `value` is as it was. Throws
    /// SerializationError as dumps(). Python: `Connection.send`.
    template <class T>
    void send(T&& value) {
        using Value = detail::OwnCarriedType<T>;
        if constexpr (!detail::can_cross<Value, detail::Crossing::connection>()) {
            detail::refuse<detail::why_not<Value, detail::Crossing::connection>>();
        } else if constexpr (!detail::is_given_away<Value, T>()) {
            static_assert(
                detail::is_given_away<Value, T>(),
                "this holds a Connection, which belongs to one process: send it by std::move, or send "
                "connection.dup()");
        } else {
            send_message<Value>(value);
            detail::give_away<T>(std::forward<T>(value));
        }
    }

    /// Waits for a message, which was sent as a T. Throws SerializationError if it was sent as
    /// another type: then it is used up; EOFError when the other end is closed and nothing is left;
    /// `std::bad_alloc` when there is no memory: in a Pipe the message stays then, unless its bytes
    /// had been taken out and memory ran out while a T was made of them; a message of a stream, as
    /// of a Listener's connection, is used up. Python: `Connection.recv`.
    template <class T>
    T recv() {
        if constexpr (!detail::can_cross<std::remove_cv_t<T>, detail::Crossing::connection>()) {
            detail::refuse<detail::why_not<std::remove_cvref_t<T>, detail::Crossing::connection>>();
            std::terminate();
        } else {
            detail::Transport& transport = receiving();
            detail::Incoming message;
            next(transport, message);
            using Value = std::remove_cv_t<T>;
            if constexpr (detail::is_copied_whole<Value> || detail::BulkContainer<Value>) {
                if (message.taking) {
                    bool stays = false;
                    const detail::ScopeExit used_up{[&] {
                        if (!stays) message.taking.commit();
                    }};
                    try {
                        return detail::decode_message<Value>(message.taking.bytes());
                    } catch (const std::bad_alloc&) {
                        stays = true;
                        throw;
                    }
                }
            }
            const std::vector<std::byte> bytes = transport.body(message, {});
            if (message.receiving) message.receiving.unlock();
            detail::ReceivedMessage arrival{message};
            return detail::decode_message<Value>(bytes, &arrival);
        }
    }

    /// Sends bytes as one message; there may be none. Python: `Connection.send_bytes`.
    void send_bytes(std::span<const std::byte> bytes) { sending().send(bytes, {}, {}); }

    /// Waits for a message, and returns its bytes. One of more than `maxlength` bytes throws
    /// `std::system_error` (message_size); as it cannot be passed over, nothing can be received
    /// from then on. Throws EOFError when the other end is closed and nothing is left,
    /// `std::system_error` (connection_aborted) if that ends within a message. Takes no memory on
    /// the word of the sender, only for what has arrived. Python: `Connection.recv_bytes`.
    std::vector<std::byte> recv_bytes(std::size_t maxlength = (std::numeric_limits<std::size_t>::max)()) {
        detail::Transport& transport = receiving();
        detail::Incoming message;
        next(transport, message);
        if (message.size > maxlength) {
            const std::uint64_t size = message.size;
            message = {};
            stop_receiving();
            throw std::system_error(std::make_error_code(std::errc::message_size),
                                    "multiprocessing: bad message length: " + std::to_string(size) +
                                        " bytes, of which at most " + std::to_string(maxlength) +
                                        " are wanted");
        }
        return transport.body(message, {});
    }

    /// The same into memory of the caller's; how many bytes it was. If they are more than there is
    /// room for, throws BufferTooShort, which has them. Python: `Connection.recv_bytes_into`.
    std::size_t recv_bytes_into(std::span<std::byte> buffer) {
        detail::Transport& transport = receiving();
        detail::Incoming message;
        next(transport, message);
        if (message.size > buffer.size()) throw BufferTooShort(transport.body(message, {}));
        const auto size = static_cast<std::size_t>(message.size);
        transport.body_into(message, buffer.first(size), {});
        return size;
    }

    /// Whether there is a message to receive, or the end, before the time is over. Of a message,
    /// the beginning. Python: `Connection.poll`.
    bool poll(Timeout timeout = std::chrono::seconds{0}) {
        return receiving().poll(detail::Deadline::after(timeout));
    }

    /// Another Connection of the same end: what one of them receives, the other does not. Python:
    /// `os.dup`.
    Connection dup() const { return Connection(open().duplicate(), readable_, writable_); }

    /// What is on its way arrives nevertheless. Closing once more does no harm.
    void close() noexcept { transport_.reset(); }
    bool closed() const noexcept { return !transport_; }
    bool readable() const noexcept { return transport_ && readable_; }
    bool writable() const noexcept { return transport_ && writable_; }

    /// Stays ours. POSIX: a descriptor that polls readable when a message comes, unless it is here
    /// already, which poll() tells: it came before the first call of this, or a send has taken it
    /// in. Windows: a HANDLE. A Pipe is slower from then on. Python: `Connection.fileno`.
    detail::platform::NativeHandle fileno() const { return open().expose().native(); }

    /// Of the library: for the archive. `give` writes a duplicate.
    void give(detail::HandleSink& giver, detail::Writer& writer) const {
        detail::Transport& transport = open();
        writer.raw(static_cast<std::uint8_t>(readable_ | writable_ << 1));
        transport.give(giver, writer);
    }
    static Connection take(detail::HandleSource& taker, detail::Reader& reader) {
        const auto directions = reader.raw<std::uint8_t>();
        if (directions == 0 || directions > 3) reader.fail("a Connection neither receives nor sends");
        return Connection(detail::RingTransport::take(taker, reader), directions & 1, directions & 2);
    }
    /// Of the library: an end that is open.
    Connection(std::unique_ptr<detail::Transport> transport, bool readable, bool writable)
        : transport_(std::move(transport)), readable_(readable), writable_(writable) {}

private:
    friend class connection::Waitable;

    template <class Value, class T>
    void send_message(const T& value) {
        detail::Transport& transport = sending();
        // It is sent from where it lies, if it is its bytes, or has many: what it is converted to
        // lives as long.
        std::conditional_t<std::is_same_v<Value, T>, const T&, const Value> sent(value);
        if constexpr (detail::is_copied_whole<Value>) {
            const std::uint64_t type = detail::fingerprint<Value>();
            transport.send(std::as_bytes(std::span(&type, 1)), std::as_bytes(std::span(&sent, 1)), {});
        } else {
            detail::SentMessage departure{transport};
            detail::Writer writer{&departure};
            if constexpr (detail::BulkContainer<Value>) writer.keep_last_block();
            detail::encode_message<Value>(writer, sent);
            transport.send(writer.view(), writer.last(), std::move(departure.beside));
        }
    }

    [[noreturn]] static void refuse(const char* why) {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                std::string("multiprocessing: this Connection ") + why);
    }

    detail::Transport& open() const {
        if (!transport_) refuse("is closed, or was handed over");
        origin_.require_here("this Connection", "pass it as an argument, by std::move or as dup()");
        return *transport_;
    }
    detail::Transport& receiving() const {
        detail::Transport& transport = open();
        if (!readable_) refuse("only sends");
        return transport;
    }
    detail::Transport& sending() const {
        detail::Transport& transport = open();
        if (!writable_) refuse("only receives");
        return transport;
    }

    static void next(detail::Transport& transport, detail::Incoming& message) {
        if (transport.receive(message, {})) return;
        throw EOFError("multiprocessing: the other end of a Connection is closed, and nothing is left");
    }

    void stop_receiving() noexcept {
        readable_ = false;
        if (!writable_) close();
    }

    std::unique_ptr<detail::Transport> transport_;
    bool readable_ = false;
    bool writable_ = false;
    detail::ForkOrigin origin_;
};

/// Two Connections: what one of them sends, the other receives. If not `duplex`, the first only
/// receives and the second only sends. Python: `multiprocessing.Pipe`.
inline std::pair<Connection, Connection> Pipe(bool duplex = true) {
    auto [first, second] = detail::platform::make_stream_pair();
    const detail::PipeRings rings;
    const auto end = [&](detail::platform::Handle handle, bool receives) {
        if (!duplex) detail::platform::Stream::shut(handle, !receives, receives);
        auto stream = std::make_unique<detail::StreamTransport>(
            std::move(handle), detail::StreamTransport::Options{.both_ways = duplex, .has_bells = true});
        return Connection(std::make_unique<detail::RingTransport>(rings, receives ? 0 : 1, std::move(stream)),
                          duplex || receives, duplex || !receives);
    };
    return {end(std::move(first), true), end(std::move(second), false)};
}

namespace connection {

using multiprocessing::Connection;

/// Something that wait() waits for: a Connection, a Listener, the Sentinel of a Process, or a
/// handle of the operating system. Refers to it without owning it: valid as long as that is open,
/// wherever it is moved to. Equal if made of the same.
class Waitable {
public:
    Waitable(const Connection& connection) : transport_(&connection.receiving()) {}
    Waitable(Connection&&) = delete; // it would be gone before the wait
    Waitable(const Connection&&) = delete;
    Waitable(const Sentinel& sentinel) : handle_(sentinel.native_handle()) {}

    /// The handle of the operating system.
    detail::platform::NativeHandle fileno() const {
        return transport_ ? transport_->expose().native() : handle_;
    }

    friend bool operator==(const Waitable&, const Waitable&) noexcept = default;

private:
    friend std::vector<Waitable> wait_for(std::vector<Waitable> all, Timeout timeout);
    friend Waitable native(detail::platform::NativeHandle handle) noexcept;
    struct Native {
        detail::platform::NativeHandle handle;
    };
    explicit Waitable(Native native) noexcept : handle_(native.handle) {}

    detail::Transport* transport_ = nullptr;
    detail::platform::NativeHandle handle_ = detail::platform::HandleTraits::invalid();
};

/// A handle of the operating system, for wait(): any descriptor that polls readable when there is
/// something to read (a socket, a pipe, a timerfd, an eventfd); on Windows any HANDLE that can be
/// waited for. It stays the caller's. Python: an integer, or an object with `fileno()`, in the list
/// that `multiprocessing.connection.wait` takes.
inline Waitable native(detail::platform::NativeHandle handle) noexcept {
    return Waitable(Waitable::Native{handle});
}

/// The work of wait().
inline std::vector<Waitable> wait_for(std::vector<Waitable> all, Timeout timeout) {
    if (all.empty() && !timeout.span()) return all;
    std::vector<detail::Waited> waited;
    waited.reserve(all.size());
    for (const Waitable& one : all) waited.push_back({one.transport_, one.handle_});
    std::vector<Waitable> ready;
    for (const std::size_t i : detail::wait_connections(waited, detail::Deadline::after(timeout)))
        ready.push_back(all[i]);
    return ready;
}

/// Waits until one or more of them are ready: a Connection when a message, or the end, begins to
/// arrive; a Listener while a client waits for accept(); a Sentinel when its process has ended. All
/// that are, in the order given; none when the time is over. Any number of them. Without any it
/// returns when the time is over, at once if there is no timeout. Python:
/// `multiprocessing.connection.wait`.
template <std::ranges::input_range Range>
    requires std::convertible_to<std::ranges::range_reference_t<Range>, Waitable>
std::vector<Waitable> wait(Range&& range, Timeout timeout = no_timeout) {
    std::vector<Waitable> all;
    for (auto&& one : range) all.push_back(Waitable(std::forward<decltype(one)>(one)));
    return wait_for(std::move(all), timeout);
}
inline std::vector<Waitable> wait(std::initializer_list<Waitable> list, Timeout timeout = no_timeout) {
    return wait_for(std::vector<Waitable>(list), timeout);
}

} // namespace connection

namespace detail {

/// A handle of the system on its way over a Connection.
class TravellingHandle {
public:
    using multiprocessing_owned_handle = void;

    explicit TravellingHandle(platform::Handle handle) noexcept : handle_(std::move(handle)) {}

    void give(HandleSink& giver, Writer& writer) const { writer.raw(giver.give_handle(handle_.duplicate())); }
    static TravellingHandle take(HandleSource& taker, Reader& reader) {
        return TravellingHandle(taker.take_handle(reader.raw<std::uint64_t>()));
    }

    platform::NativeHandle release() noexcept { return handle_.release(); }

private:
    platform::Handle handle_;
};

} // namespace detail

namespace reduction {

/// Hands a duplicate of `handle`, a descriptor or a HANDLE, over to the process at the other end of
/// a Pipe, or of a Connection of a Listener on this machine; `handle` stays the caller's. Throws
/// `std::system_error` if it is not open, `std::invalid_argument` over a network. Python:
/// `multiprocessing.reduction.send_handle(connection, handle, pid)`.
inline void send_handle(Connection& connection, detail::platform::NativeHandle handle) {
    connection.send(
        detail::TravellingHandle(detail::platform::Handle{detail::platform::HandleTraits::duplicate(handle)}));
}

/// Waits for a handle that send_handle() has sent. It is the caller's, who has to close it; other
/// programs do not inherit it. Throws SerializationError if the message is another,
/// `std::system_error` if this process has no room for it. Python:
/// `multiprocessing.reduction.recv_handle(connection)`.
inline detail::platform::NativeHandle recv_handle(Connection& connection) {
    return connection.recv<detail::TravellingHandle>().release();
}

} // namespace reduction

static_assert(std::is_nothrow_move_constructible_v<Connection> && !std::is_copy_constructible_v<Connection>);
static_assert(Spawnable<Connection> && !Serializable<Connection>);

} // namespace multiprocessing::inline v1
