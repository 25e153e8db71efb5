#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream_transport.hpp  Messages as frames in a byte stream, as CPython's Connection has
/// them.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/platform/stream.hpp>

#include <algorithm> // for copy, copy_n, find_if, min
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class StreamTransport final : public Transport {
public:
    struct Options {
        /// It carries messages in both directions, so that what arrives during a send is read
        /// ahead.
        bool both_ways;
        bool has_bells = false; ///< Between messages there may be bells, bytes that say no more than "look".
    };

    StreamTransport(platform::Handle handle, Options options);
    /// Takes over a stream that is in use already, with what was read ahead of it.
    StreamTransport(platform::Stream stream, platform::Inbox inbox, Options options);

    MULTIPROCESSING_INLINE ~StreamTransport() override;

    MULTIPROCESSING_INLINE void send(std::span<const std::byte> begin, std::span<const std::byte> rest,
                                     std::vector<platform::Handle> handles) override;

    /// Says "look" to a watcher of the other end. Throws as send().
    void ring();

    MULTIPROCESSING_INLINE bool receive(Incoming& message, Deadline deadline) override;

    MULTIPROCESSING_INLINE std::vector<std::byte> body(Incoming& message, Deadline deadline) override;

    MULTIPROCESSING_INLINE void body_into(Incoming&, std::span<std::byte> bytes, Deadline deadline) override;

    MULTIPROCESSING_INLINE bool poll(Deadline deadline) override;

    MULTIPROCESSING_INLINE std::optional<platform::NativeHandle> watch() override;
    MULTIPROCESSING_INLINE bool unwatch(bool was_ready) override;
    /// Returns whether nothing but the end is left to be read.
    bool has_ended() const;
    bool is_closed() const { return stream_.is_closed(); }
    /// Has the messages that `frames()` yields, called when no thread receives, come before all
    /// else that is read here.
    template <class Frames>
    void add_before(Frames frames) {
        std::lock_guard lock{shared_->receiving};
        shared_->inbox.add_before(frames());
    }
    const void* identity() const noexcept override { return shared_.get(); }

    const platform::Handle& expose() noexcept override { return stream_.handle(); }

    bool carries_handles() const noexcept override { return stream_.carries_handles(); }
    std::unique_ptr<Transport> duplicate() const override { return duplicate_stream(); }
    std::unique_ptr<StreamTransport> duplicate_stream() const;

    MULTIPROCESSING_INLINE void export_to(HandleSink& sink, Writer& writer) override;
    /// Writes the stream, and what was read ahead of it, with the handles that came: the receiver
    /// has to see those first.
    void export_stream(HandleSink& sink, Writer& writer);
    static std::unique_ptr<StreamTransport> import_from(HandleSource& source, Reader& reader);

private:
    /// Of all ends that are duplicates of each other in this process: they are one stream.
    struct Shared {
        Mutex sending;
        Mutex receiving; // a sender may take it, if no thread receives; never the other way round
        std::atomic<int> watchers{0};
        platform::Inbox inbox;
    };

    static constexpr std::byte bell{0x80}; // begins no head of a message
    StreamTransport(platform::Stream stream, Options options, std::shared_ptr<Shared> shared)
        : stream_(std::move(stream)), options_(options), shared_(std::move(shared)) {}

    static std::size_t bells_in(std::span<const std::byte> bytes);

    /// Called by the receiver, between two messages: puts what is there of the next one, or the
    /// end, into the inbox, but no bells.
    void look();

    /// Does what fill() does, and skips the bells before.
    std::size_t fill_after_bells(std::span<std::byte> bytes, Deadline deadline);

    /// Reads `count` bytes that are not wanted.
    void skip(std::uint64_t count, Deadline deadline);

    /// Fills all bytes, or as many as there are before the stream ends; returns how many.
    std::size_t fill(std::span<std::byte> bytes, Deadline deadline);

    platform::Stream stream_;
    const Options options_;
    std::shared_ptr<Shared> shared_;
    std::unique_lock<Mutex> watching_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/connection/handle_words.hpp>
#include <multiprocessing/detail/connection/inbox_export.hpp>
#include <multiprocessing/exceptions.hpp>

#include <array>
#include <chrono>
#include <new>
#include <system_error>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE StreamTransport::StreamTransport(platform::Handle handle, Options options)
    : StreamTransport(platform::Stream(std::move(handle)), options, std::make_shared<Shared>()) {}

MULTIPROCESSING_INLINE StreamTransport::StreamTransport(platform::Stream stream, platform::Inbox inbox,
                                                        Options options)
    : StreamTransport(std::move(stream), options, std::make_shared<Shared>()) {
    shared_->inbox = std::move(inbox);
}

MULTIPROCESSING_INLINE StreamTransport::~StreamTransport() {
    if (watching_.owns_lock()) stream_.unwatch(shared_->inbox);
}

MULTIPROCESSING_INLINE void StreamTransport::send(std::span<const std::byte> begin,
                                                  std::span<const std::byte> rest,
                                                  std::vector<platform::Handle> handles) {
    const FrameHead frame{begin.size() + rest.size()};
    std::span<const std::byte> head = frame.bytes();
    std::vector<std::byte> joined;
    if (rest.empty()) {
        rest = begin;
    } else {
        joined.assign(head.begin(), head.end());
        joined.insert(joined.end(), begin.begin(), begin.end());
        head = joined;
    }
    std::lock_guard lock{shared_->sending};
    platform::Drain drain{shared_->receiving, shared_->watchers, shared_->inbox};
    platform::Drain* const drained = options_.both_ways ? &drain : nullptr;
    if constexpr (platform::Stream::handles_are_words) {
        if (!handles.empty()) {
            const std::vector<std::byte> words = handle_words(handles);
            ScopeExit take_back{[&] { take_back_handles(words); }};
            stream_.write_all(words, {}, {}, drained);
            take_back.release(); // they may be the receiver's already
        }
        handles.clear();
    }
    stream_.write_all(head, rest, handles, drained);
}

MULTIPROCESSING_INLINE void StreamTransport::ring() {
    std::lock_guard lock{shared_->sending};
    stream_.write_all(std::span{&bell, 1}, {}, {}, nullptr);
}

MULTIPROCESSING_INLINE bool StreamTransport::receive(Incoming& message, Deadline deadline) {
    message.receiving = std::unique_lock{shared_->receiving};
    shared_->inbox.take_arrived(); // of a body: nobody honest sends them there
    bool begins = options_.has_bells;
    const auto read = [&](std::span<std::byte> bytes) {
        return std::exchange(begins, false) ? fill_after_bells(bytes, deadline) : fill(bytes, deadline);
    };
    const auto size = read_frame_head(
        read, [&] { return stream_.carries_handles() && read_handle_words(read, message.handles); });
    if (!size) {
        message.receiving.unlock();
        return false;
    }
    platform::Arrived arrived = shared_->inbox.take_arrived();
    message.size = *size;
    for (platform::Handle& handle : arrived.handles) message.handles.push_back(std::move(handle));
    message.handles_lost = arrived.lost;
    return true;
}

MULTIPROCESSING_INLINE std::vector<std::byte> StreamTransport::body(Incoming& message, Deadline deadline) {
    std::uint64_t left = message.size;
    try {
        return read_frame_body(message.size, [&](std::span<std::byte> bytes) {
            const std::size_t filled = fill(bytes, deadline);
            left -= filled;
            return filled;
        });
    } catch (const std::bad_alloc&) {
        skip(left, deadline); // else the next to receive would take the rest for a message
        throw;
    }
}

MULTIPROCESSING_INLINE void StreamTransport::body_into(Incoming&, std::span<std::byte> bytes,
                                                       Deadline deadline) {
    if (fill(bytes, deadline) != bytes.size())
        throw_frame_error(std::errc::connection_aborted, "got end of file during message");
}

MULTIPROCESSING_INLINE bool StreamTransport::poll(Deadline deadline) {
    for (;;) {
        if (wait_watching(deadline)) return true;
        if (deadline.passed()) return false;
    }
}

MULTIPROCESSING_INLINE std::optional<platform::NativeHandle> StreamTransport::watch() {
    std::unique_lock lock{shared_->receiving};
    shared_->watchers.fetch_add(1); // holding the lock: from here on no sender takes anything in
    if (options_.has_bells) look();
    const bool ready = shared_->inbox.ready();
    if (platform::Stream::watch_reads_ahead) watching_ = std::move(lock);
    if (ready) return std::nullopt;
    return stream_.watch(shared_->inbox);
}

MULTIPROCESSING_INLINE bool StreamTransport::unwatch(bool was_ready) {
    std::unique_lock lock = std::move(watching_);
    stream_.unwatch(shared_->inbox);
    shared_->watchers.fetch_sub(1);
    if (options_.has_bells) {
        if (!lock.owns_lock()) lock = std::unique_lock{shared_->receiving};
        look();
        return shared_->inbox.ready();
    }
    return was_ready || (lock.owns_lock() && shared_->inbox.ready());
}

MULTIPROCESSING_INLINE bool StreamTransport::has_ended() const {
    std::lock_guard lock{shared_->receiving};
    return shared_->inbox.ended && shared_->inbox.empty();
}

MULTIPROCESSING_INLINE std::unique_ptr<StreamTransport> StreamTransport::duplicate_stream() const {
    return std::unique_ptr<StreamTransport>(
        new StreamTransport(platform::Stream(stream_.handle().duplicate()), options_, shared_));
}

MULTIPROCESSING_INLINE void StreamTransport::export_to(HandleSink& sink, Writer& writer) {
    writer.raw(std::uint8_t{0}); // no ring
    export_stream(sink, writer);
}

MULTIPROCESSING_INLINE void StreamTransport::export_stream(HandleSink& sink, Writer& writer) {
    std::lock_guard lock{shared_->receiving};
    platform::Inbox& inbox = shared_->inbox;
    inbox.take_arrived(); // of a body: nobody honest sends them there
    writer.raw(sink.add_handle(stream_.handle().duplicate()));
    writer.raw(std::uint8_t{options_.both_ways});
    writer.raw(std::uint8_t{options_.has_bells});
    export_inbox(inbox, sink, writer);
}

MULTIPROCESSING_INLINE std::unique_ptr<StreamTransport> StreamTransport::import_from(HandleSource& source,
                                                                                     Reader& reader) {
    platform::Handle handle = source.next_handle(reader.raw<std::uint64_t>());
    const bool both_ways = reader.flag();
    const bool has_bells = reader.flag();
    auto transport = std::make_unique<StreamTransport>(std::move(handle), Options{both_ways, has_bells});
    import_inbox(transport->shared_->inbox, source, reader);
    return transport;
}

MULTIPROCESSING_INLINE std::size_t StreamTransport::bells_in(std::span<const std::byte> bytes) {
    return static_cast<std::size_t>(
        std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != bell; }) - bytes.begin());
}

MULTIPROCESSING_INLINE void StreamTransport::look() {
    platform::Inbox& inbox = shared_->inbox;
    std::array<std::byte, 64> some;
    for (;;) {
        inbox.drop(bells_in(inbox.bytes()));
        if (inbox.ready()) return;
        platform::Arrived arrived;
        const auto got = stream_.read_some(some, Deadline::after(std::chrono::seconds{0}), arrived);
        if (!got) return;
        inbox.ended = *got == 0;
        inbox.add(std::span{some}.first(*got), std::move(arrived));
    }
}

MULTIPROCESSING_INLINE std::size_t StreamTransport::fill_after_bells(std::span<std::byte> bytes,
                                                                     Deadline deadline) {
    std::size_t filled = 0;
    for (;;) {
        filled += fill(bytes.subspan(filled), deadline);
        const std::size_t bells = bells_in(bytes.first(filled));
        if (bells == 0) return filled;
        std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(bells), bytes.end(), bytes.begin());
        filled -= bells;
    }
}

MULTIPROCESSING_INLINE void StreamTransport::skip(std::uint64_t count, Deadline deadline) {
    std::array<std::byte, 4096> unwanted;
    while (count > 0) {
        const auto some = static_cast<std::size_t>((std::min<std::uint64_t>)(count, unwanted.size()));
        if (fill(std::span{unwanted}.first(some), deadline) != some) return;
        count -= some;
    }
}

MULTIPROCESSING_INLINE std::size_t StreamTransport::fill(std::span<std::byte> bytes, Deadline deadline) {
    platform::Inbox& inbox = shared_->inbox;
    std::size_t filled = inbox.read(bytes);
    while (filled < bytes.size() && !inbox.ended) {
        platform::Arrived arrived;
        const auto got = stream_.read_some(bytes.subspan(filled), deadline, arrived);
        if (!got) throw TimeoutError("multiprocessing: the other end of a Connection did not send in time");
        if (*got == 0) break; // asked again, a stream says so again
        inbox.taken(*got, std::move(arrived));
        filled += *got;
    }
    return filled;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
