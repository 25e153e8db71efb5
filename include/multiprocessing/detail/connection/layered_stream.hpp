#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file layered_stream.hpp  A stream, and what was read ahead of it, whose bytes go through a
/// layer or do not.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One end. One thread reads while one writes.
///
/// What the layer wants to send because of what was read goes out at once if there is room and
/// nobody writes, else before what is written next: the reader never waits for the other side to
/// read.
class LayeredStream {
public:
    LayeredStream(platform::Stream stream, platform::Inbox inbox, std::unique_ptr<ByteLayer> layer);
    LayeredStream(LayeredStream&&) noexcept = default;
    LayeredStream& operator=(LayeredStream&&) noexcept = default;

    /// Begins the handshake of the layer; returns whether there is none.
    bool begin();
    /// Takes what has arrived of the handshake, waiting for some until the deadline; returns
    /// whether it is done. Throws AuthenticationError if it has failed, or the stream has ended.
    bool advance(Deadline until);

    /// Returns how many bytes were read, 0 at the end, nullopt when the deadline has passed. Throws
    /// as ByteLayer::read() and Stream::read_some().
    std::optional<std::size_t> read_some(std::span<std::byte> bytes, Deadline deadline);
    void write_all(std::span<const std::byte> head, std::span<const std::byte> body);
    /// Returns whether there is something to read, be it the end. Not while a thread reads.
    bool has_something();
    /// Both ends see the end of the stream. Of any thread; never waits.
    void shut() noexcept;

    bool is_layered() const noexcept { return layered_ != nullptr; }
    platform::Stream& stream() noexcept { return stream_; }
    const platform::Stream& stream() const noexcept { return stream_; }
    platform::Inbox& inbox() noexcept { return inbox_; }
    /// Gives the layer away, when there is nothing left to send.
    std::unique_ptr<ByteLayer> take_layer() { return layered_ ? std::move(layered_->layer) : nullptr; }

private:
    static constexpr std::size_t piece = std::size_t{64} << 10;

    struct Layered {
        std::unique_ptr<ByteLayer> layer;
        std::vector<std::byte> arrived = {}; // of the thread that reads
        Mutex sending = {};                  // held while bytes leave; guards what follows
        std::vector<std::byte> unsent = {};  // the layer has said it
    };

    std::optional<std::size_t> read_raw(std::span<std::byte> bytes, Deadline deadline);
    /// Gives the layer what arrives next; returns whether that was something rather than the end.
    std::optional<bool> fill(Deadline deadline);
    /// Sends what there is room for; returns whether it was all.
    bool flush();
    bool flush_locked();
    /// The last word of a layer that has failed, if there is room for it.
    void flush_farewell() noexcept;

    platform::Stream stream_;
    platform::Inbox inbox_;
    std::unique_ptr<Layered> layered_; // null: bytes go as they are
};

inline LayeredStream::LayeredStream(platform::Stream stream, platform::Inbox inbox,
                                    std::unique_ptr<ByteLayer> layer)
    : stream_(std::move(stream)),
      inbox_(std::move(inbox)),
      layered_(layer ? new Layered{std::move(layer)} : nullptr) {}

inline bool LayeredStream::begin() {
    if (!layered_) return true;
    layered_->layer->advance();
    flush();
    return false;
}

inline bool LayeredStream::advance(Deadline until) {
    const auto got = fill(until);
    if (!got) return false;
    if (!*got)
        throw AuthenticationError(
            "multiprocessing: the other side went away during the handshake of TLS: what it logs may say why");
    try {
        const bool done = layered_->layer->advance();
        // A handshake's messages are short, and fit into what the system holds.
        if (!flush())
            throw AuthenticationError("multiprocessing: the other side does not take what the handshake sends");
        return done;
    } catch (const AuthenticationError&) {
        flush_farewell();
        throw;
    }
}

inline std::optional<std::size_t> LayeredStream::read_raw(std::span<std::byte> bytes, Deadline deadline) {
    if (const std::size_t had = inbox_.read(bytes)) return had;
    if (inbox_.ended) return 0;
    platform::Arrived unwanted; // handles that somebody sends along are closed
    const auto got = stream_.read_some(bytes, deadline, unwanted);
    if (got) inbox_.ended = *got == 0;
    return got;
}

inline std::optional<bool> LayeredStream::fill(Deadline deadline) {
    layered_->arrived.resize(piece);
    const auto got = read_raw(layered_->arrived, deadline);
    if (!got) return std::nullopt;
    layered_->layer->add(std::span{layered_->arrived}.first(*got));
    return *got != 0;
}

inline std::optional<std::size_t> LayeredStream::read_some(std::span<std::byte> bytes, Deadline deadline) {
    if (!layered_) return read_raw(bytes, deadline);
    try {
        for (bool is_first = true;; is_first = false) {
            const auto got = layered_->layer->read(bytes);
            if (!is_first) flush();
            if (got) return got;
            // What arrives need not be anything to read, however much it is.
            if (!is_first && deadline.passed()) return std::nullopt;
            const auto filled = fill(deadline);
            if (!filled) return std::nullopt;
            if (!*filled) return 0;
        }
    } catch (const std::exception&) {
        flush_farewell();
        throw;
    }
}

inline void LayeredStream::write_all(std::span<const std::byte> head, std::span<const std::byte> body) {
    if (!layered_) return stream_.write_all(head, body, {}, nullptr);
    const std::lock_guard lock{layered_->sending};
    std::vector<std::byte>& unsent = layered_->unsent;
    for (std::span<const std::byte> part : {head, body}) {
        while (!part.empty()) {
            const std::size_t size = (std::min)(part.size(), piece);
            layered_->layer->write(part.first(size), unsent);
            part = part.subspan(size);
            if (unsent.size() < piece) continue;
            stream_.write_all(unsent, {}, {}, nullptr);
            unsent.clear();
        }
    }
    if (unsent.empty()) return;
    stream_.write_all(unsent, {}, {}, nullptr);
    unsent.clear();
}

inline bool LayeredStream::flush() {
    const std::unique_lock lock{layered_->sending, std::try_to_lock};
    return lock && flush_locked();
}

inline bool LayeredStream::flush_locked() {
    std::vector<std::byte>& unsent = layered_->unsent;
    layered_->layer->write({}, unsent);
    while (!unsent.empty()) {
        const std::size_t put = stream_.write_some(unsent);
        if (put == 0) return false;
        unsent.erase(unsent.begin(), unsent.begin() + static_cast<std::ptrdiff_t>(put));
    }
    return true;
}

inline void LayeredStream::flush_farewell() noexcept {
    try {
        flush();
    } catch (const std::exception&) {} // it need not be there to hear it
}

inline bool LayeredStream::has_something() {
    constexpr auto now = std::chrono::seconds{0};
    if (layered_) {
        constexpr int most = 16; // the other side could send what is nothing for ever
        for (int i = 0; i < most; ++i) {
            if (layered_->layer->has_something()) return true;
            const auto filled = fill(Deadline::after(now));
            if (!filled) return false;
            if (!*filled) return true;
        }
        return false;
    }
    if (inbox_.ready()) return true;
    const bool ready = platform::wait_one(stream_.watch(inbox_), Deadline::after(now));
    stream_.unwatch(inbox_);
    return ready || inbox_.ready();
}

inline void LayeredStream::shut() noexcept {
    try {
        const std::unique_lock lock =
            layered_ ? std::unique_lock{layered_->sending, std::try_to_lock} : std::unique_lock<Mutex>{};
        if (lock) {
            layered_->layer->close();
            flush_locked();
        }
    } catch (const std::exception&) {} // the best that can be done
    try {
        platform::Stream::shut(stream_.handle(), true, true);
    } catch (const std::exception&) {} // it is at its end already
}

} // namespace multiprocessing::inline v1::detail
