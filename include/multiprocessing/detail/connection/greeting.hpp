#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file greeting.hpp  The handshake of one connection, in whatever pieces it arrives.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/connection/handshake.hpp>
#include <multiprocessing/detail/connection/layered_stream.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A stream over which a handshake is under way: that of the layer first, if there is one, then, in
/// it, the proof of the key. Its own messages are short, and fit into what the system holds: only
/// reading takes time.
class Greeting {
public:
    Greeting(platform::Handle handle, Handshake::Side side, const std::string& key, bool allow_md5,
             Deadline deadline, std::unique_ptr<ByteLayer> layer = nullptr)
        : bytes_(platform::Stream(std::move(handle)), {}, std::move(layer)),
          handshake_(side, key, allow_md5),
          deadline_(deadline),
          side_(side),
          is_open_(bytes_.begin()) {
        if (is_open_) send(handshake_.begin());
    }

    Greeting(Greeting&& other) = default; // before it is watched
    ~Greeting() {
        try {
            unwatch();                        // else the system would write to what is no more
        } catch (const std::system_error&) {} // nobody asks any more how it ended
    }

    Deadline deadline() const noexcept { return deadline_; }
    /// Returns the handle of its stream.
    platform::NativeHandle handle() const noexcept { return bytes_.stream().handle().native(); }

    /// Returns a handle that is ready when step() may be called; the same one until unwatch(),
    /// however often it is called: beginning and ending a watch may cost as much as a message.
    platform::NativeHandle watch() {
        if (!watched_) watched_ = bytes_.stream().watch(bytes_.inbox());
        return *watched_;
    }
    /// Ends watch(); called before step().
    void unwatch() {
        if (std::exchange(watched_, std::nullopt)) bytes_.stream().unwatch(bytes_.inbox());
    }
    bool has_read_ahead() { return bytes_.inbox().ready(); }

    /// Takes what is there: without a layer at most one message; with one all that it holds, since
    /// what is in a layer wakes nobody. True when the handshake is done. Throws AuthenticationError
    /// when it failed.
    bool step(Deadline until) {
        if (!is_open_) {
            is_open_ = bytes_.advance(until);
            if (!is_open_) return false;
            send(handshake_.begin());
        }
        do {
            const auto done = take(until);
            if (!done) return false;
            if (*done) return true;
        } while (bytes_.is_layered());
        return false;
    }

    /// Throws AuthenticationError: the time is over.
    [[noreturn]] void give_up() const {
        throw AuthenticationError(
            bytes_.is_layered() ? "multiprocessing: the server did not answer in time"
                                : "multiprocessing: the Listener did not answer in time: give both sides an "
                                  ".authkey, or neither" +
                                      hint());
    }

    /// Gives the stream away, and what was read ahead of it, after the handshake.
    LayeredStream into_stream() { return std::move(bytes_); }

private:
    /// Takes some bytes; returns whether that was the end of the handshake, nullopt if there are
    /// none.
    std::optional<bool> take(Deadline until) {
        std::array<std::byte, 4 + Handshake::longest> buffer;
        const std::span<std::byte> wanted = std::span{buffer}.first(frames_.wanted());
        std::optional<std::size_t> got;
        try {
            got = bytes_.read_some(wanted, until);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::protocol_error) throw;
            throw AuthenticationError(error.what());
        }
        if (!got) return std::nullopt;
        if (*got == 0)
            throw AuthenticationError("multiprocessing: the other side went away during the handshake" +
                                      hint());
        has_heard_ = true;
        if (!frames_.add(wanted.first(*got))) return false;
        try {
            send(handshake_.receive(frames_.pop()));
        } catch (const AuthenticationError&) {
            try {
                if (!handshake_.farewell().empty()) send({std::string(handshake_.farewell())});
            } catch (const std::system_error&) {} // the other side may be gone already
            throw;
        }
        return handshake_.done();
    }

    /// Returns what may be wrong if the other side never said anything.
    std::string hint() const {
        if (has_heard_ || side_ == Handshake::Side::listener || bytes_.is_layered()) return {};
        return "; if it is a manager's server with a .certificate, give this client an .authority";
    }

    void send(const std::vector<std::string>& messages) {
        try {
            for (const std::string& message : messages)
                bytes_.write_all(FrameHead(message.size()).bytes(), std::as_bytes(std::span(message)));
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::broken_pipe) throw;
            throw AuthenticationError("multiprocessing: the other side went away during the handshake");
        }
    }

    LayeredStream bytes_;
    std::optional<platform::NativeHandle> watched_;
    Handshake handshake_;
    HandshakeFrames frames_;
    Deadline deadline_;
    Handshake::Side side_;
    bool is_open_; // the handshake of the layer is done
    bool has_heard_ = false;
};

} // namespace multiprocessing::inline v1::detail
