#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file connection.hpp  Connection: one end of a way on which processes send each other messages.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/message_contexts.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/ring/item.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace connection {

using multiprocessing::operator<<; // found for what is declared here
class Waitable;
} // namespace connection

/// One end of a two-way or one-way connection. Move-only; its destructor closes it.
///
/// A Connection belongs to one process. To hand it to another process, move it into the arguments
/// of a Process or of an initializer, by itself or as a part of another value, or send it over
/// another Connection; here it is closed then. dup() makes a second one to hand over. The tasks of
/// a Pool cannot receive a Connection, as the workers run already; their initializer can. In a
/// process to which it was not handed it throws `std::logic_error`.
///
/// One thread may send while another receives. Two threads that send, or two that receive, take
/// turns, message by message. poll() and connection::wait() count as receiving. While a Connection
/// is closed or moved, no other thread may use it.
///
/// A process that is stopped (SIGSTOP, a debugger) while it sends or receives is alive, and keeps
/// its message. A receiver without a timeout waits for that process; poll() and wait() return after
/// their timeout. Earlier messages of a Pipe can be received.
///
/// A send waits while many bytes are under way: 4 MiB of a Pipe, what the system buffers (some
/// hundred kilobytes) of a Listener's connection. If both ends send much at once, neither waits for
/// the other (a Listener's connection: up to 256 MiB). A thread that sends that much to itself
/// waits forever.
///
/// Messages of a Pipe go through shared memory: a process that is killed while it sends or receives
/// leaves a whole message or none. Once a Connection was sent over the Pipe, or an end of the Pipe
/// was sent over a Connection, or fileno() was called, messages go through a stream of the system.
/// That is slower, and a killed sender may leave a part of a message. In a stream the messages are
/// those of CPython's `Connection`.
///
/// Throws `std::system_error`: bad_file_descriptor if the Connection is closed, or does not receive
/// or send; broken_pipe if the other end is closed (never a signal). If the other end of a Pipe was
/// killed, up to 128 messages may be sent before that is noticed.
///
/// Python: `multiprocessing.connection.Connection`.
class Connection {
public:
    using multiprocessing_owned_handle = void; // Spawnable, and may be sent over a Connection

    /// Makes a closed Connection, to be assigned to later.
    Connection() noexcept = default;
    Connection(Connection&&) noexcept = default;
    Connection& operator=(Connection&&) noexcept = default;

    /// Returns `<multiprocessing.connection.Connection object at 0x7f1798d80990>`. Python:
    /// `repr(connection)`.
    std::string repr() const;

    /// Sends `value`, serialized as by dumps(). C strings are sent as `std::string`. A value that
    /// holds a Connection has to be moved; a message has at most 1000 Connections, over a Pipe or a
    /// Listener on this machine. After an exception `value` is as it was. Throws SerializationError
    /// as dumps() does. Python: `Connection.send`.
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

    /// Waits for a message and returns its value, which was sent as a T. Throws SerializationError
    /// if it was sent as another type: the message is lost then; EOFError when the other end is
    /// closed and no message is left; `std::bad_alloc` when there is no memory: a message of a Pipe
    /// stays then, unless memory ran out while the T was built from its bytes; a message of a
    /// stream is lost. Python: `Connection.recv`.
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

    /// Sends bytes, of any number, as one message. Python: `Connection.send_bytes`.
    void send_bytes(std::span<const std::byte> bytes);

    /// Waits for a message and returns its bytes. A message of more than `maxlength` bytes throws
    /// `std::system_error` (message_size); it cannot be skipped, so nothing can be received
    /// afterwards. Throws EOFError when the other end is closed and no message is left,
    /// `std::system_error` (connection_aborted) if the connection ends within a message. Allocates
    /// for the bytes that have arrived, never for a length that was only announced. Python:
    /// `Connection.recv_bytes`.
    std::vector<std::byte> recv_bytes(std::size_t maxlength = (std::numeric_limits<std::size_t>::max)());

    /// Waits for a message, writes its bytes to memory of the caller, and returns their number.
    /// Throws BufferTooShort, which holds the message, if there is not enough room. Python:
    /// `Connection.recv_bytes_into`.
    std::size_t recv_bytes_into(std::span<std::byte> buffer);

    /// Returns whether a message has begun to arrive, or the other end has closed, before the
    /// timeout. Python: `Connection.poll`.
    bool poll(Timeout timeout = std::chrono::seconds{0});

    /// Returns a second Connection of the same end: each message is received by one of the two.
    /// Python: `os.dup`.
    Connection dup() const;

    /// Closes this end. Messages that were sent arrive nevertheless. A second close() does nothing.
    void close() noexcept { transport_.reset(); }
    bool closed() const noexcept { return !transport_; }
    bool readable() const noexcept { return transport_ && readable_; }
    bool writable() const noexcept { return transport_ && writable_; }

    /// Returns the handle of the system, which stays the Connection's. POSIX: a descriptor that
    /// polls readable when a message comes. A message that is here already does not make it
    /// readable, but poll() reports it: it came before the first call of fileno(), or a send has
    /// read it ahead. Windows: a HANDLE. A Pipe is slower afterwards. Python: `Connection.fileno`.
    detail::platform::NativeHandle fileno() const;

    /// For the archive alone: writes a duplicate, and makes a Connection of one.
    void export_to(detail::HandleSink& sink, detail::Writer& writer) const;
    static Connection import_from(detail::HandleSource& source, detail::Reader& reader);
    /// For the library alone: makes an end that is open.
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

    [[noreturn]] static void refuse(const char* why);

    detail::Transport& open() const;
    detail::Transport& receiving() const;
    detail::Transport& sending() const;

    static void next(detail::Transport& transport, detail::Incoming& message);

    void stop_receiving() noexcept;

    std::unique_ptr<detail::Transport> transport_;
    bool readable_ = false;
    bool writable_ = false;
    detail::ForkOrigin origin_;
};

namespace connection {
using multiprocessing::Connection;
}

static_assert(std::is_nothrow_move_constructible_v<Connection> && !std::is_copy_constructible_v<Connection>);
static_assert(Spawnable<Connection> && !Serializable<Connection>);

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/connection/ring_transport.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/exceptions.hpp>

#include <system_error>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE std::string Connection::repr() const {
    return "<multiprocessing.connection.Connection object at " + detail::shown_address(transport_.get()) + ">";
}

MULTIPROCESSING_INLINE void Connection::send_bytes(std::span<const std::byte> bytes) {
    sending().send(bytes, {}, {});
}

MULTIPROCESSING_INLINE std::vector<std::byte> Connection::recv_bytes(std::size_t maxlength) {
    detail::Transport& transport = receiving();
    detail::Incoming message;
    next(transport, message);
    if (message.size > maxlength) {
        const std::uint64_t size = message.size;
        message = {};
        stop_receiving();
        throw std::system_error(std::make_error_code(std::errc::message_size),
                                "multiprocessing: bad message length: " + std::to_string(size) +
                                    " bytes, of which at most " + std::to_string(maxlength) + " are wanted");
    }
    return transport.body(message, {});
}

MULTIPROCESSING_INLINE std::size_t Connection::recv_bytes_into(std::span<std::byte> buffer) {
    detail::Transport& transport = receiving();
    detail::Incoming message;
    next(transport, message);
    if (message.size > buffer.size()) throw BufferTooShort(transport.body(message, {}));
    const auto size = static_cast<std::size_t>(message.size);
    transport.body_into(message, buffer.first(size), {});
    return size;
}

MULTIPROCESSING_INLINE bool Connection::poll(Timeout timeout) {
    return receiving().poll(detail::Deadline::after(timeout));
}

MULTIPROCESSING_INLINE Connection Connection::dup() const {
    return Connection(open().duplicate(), readable_, writable_);
}

MULTIPROCESSING_INLINE detail::platform::NativeHandle Connection::fileno() const {
    return open().expose().native();
}

MULTIPROCESSING_INLINE void Connection::export_to(detail::HandleSink& sink, detail::Writer& writer) const {
    detail::Transport& transport = open();
    writer.raw(static_cast<std::uint8_t>(readable_ | writable_ << 1));
    transport.export_to(sink, writer);
}

MULTIPROCESSING_INLINE Connection Connection::import_from(detail::HandleSource& source,
                                                          detail::Reader& reader) {
    const auto directions = reader.raw<std::uint8_t>();
    if (directions == 0 || directions > 3) reader.fail("a Connection neither receives nor sends");
    return Connection(detail::RingTransport::import_from(source, reader), directions & 1, directions & 2);
}

MULTIPROCESSING_INLINE void Connection::refuse(const char* why) {
    throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                            std::string("multiprocessing: this Connection ") + why);
}

MULTIPROCESSING_INLINE detail::Transport& Connection::open() const {
    if (!transport_) refuse("is closed, or was handed over");
    origin_.require_here("this Connection", "pass it as an argument, by std::move or as dup()");
    return *transport_;
}

MULTIPROCESSING_INLINE detail::Transport& Connection::receiving() const {
    detail::Transport& transport = open();
    if (!readable_) refuse("only sends");
    return transport;
}

MULTIPROCESSING_INLINE detail::Transport& Connection::sending() const {
    detail::Transport& transport = open();
    if (!writable_) refuse("only receives");
    return transport;
}

MULTIPROCESSING_INLINE void Connection::next(detail::Transport& transport, detail::Incoming& message) {
    if (transport.receive(message, {})) return;
    throw EOFError("multiprocessing: the other end of a Connection is closed, and nothing is left");
}

MULTIPROCESSING_INLINE void Connection::stop_receiving() noexcept {
    readable_ = false;
    if (!writable_) close();
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
