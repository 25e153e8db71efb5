#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ring_transport.hpp  Messages of a Pipe: through rings in shared memory, with a stream
/// beside them.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/connection/pipe_body.hpp>
#include <multiprocessing/detail/connection/stream_transport.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/ring/ring.hpp>

#include <algorithm> // for copy_n, min
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One end of a Pipe. The messages of each way lie in a ring, as a Queue's do. The stream has what
/// a ring cannot tell: that the other side is gone, however it died; and "look", for a waiter for
/// several things at once.
///
/// Where a ring does not reach, a way goes over to the stream, for good: the ring is shut down,
/// what was put before is taken first, and all that follows are frames. It does so for a message
/// that hands over handles, for an end that is sent to a process that may be of another tree, and
/// when the program asks for the descriptor, to watch it by itself.
class RingTransport final : public Transport {
public:
    /// Makes end 0 or 1 of the Pipe.
    RingTransport(PipeRings rings, unsigned side, std::unique_ptr<StreamTransport> stream)
        : rings_(std::move(rings)), side_(side), stream_(std::move(stream)) {}

    MULTIPROCESSING_INLINE ~RingTransport() override;

    MULTIPROCESSING_INLINE void send(std::span<const std::byte> begin, std::span<const std::byte> rest,
                                     std::vector<platform::Handle> handles) override;

    MULTIPROCESSING_INLINE bool receive(Incoming& message, Deadline deadline) override;

    MULTIPROCESSING_INLINE std::vector<std::byte> body(Incoming& message, Deadline deadline) override;

    MULTIPROCESSING_INLINE void body_into(Incoming& message, std::span<std::byte> bytes,
                                          Deadline deadline) override;

    MULTIPROCESSING_INLINE bool poll(Deadline deadline) override;

    MULTIPROCESSING_INLINE std::optional<platform::NativeHandle> watch() override;
    MULTIPROCESSING_INLINE bool unwatch(bool was_ready) override;
    const void* identity() const noexcept override { return stream_->identity(); }

    MULTIPROCESSING_INLINE const platform::Handle& expose() override;

    bool carries_handles() const noexcept override { return stream_->carries_handles(); }
    MULTIPROCESSING_INLINE std::unique_ptr<Transport> duplicate() const override;

    MULTIPROCESSING_INLINE void export_to(HandleSink& sink, Writer& writer) override;
    /// Makes the transport that export_to() of any Transport has written.
    static std::unique_ptr<Transport> import_from(HandleSource& source, Reader& reader);

private:
    enum class Found { record, stream, nothing };

    /// While it lives, the other side may put more than there is room for: else two that both send
    /// would wait for each other. What a dead one has left set costs memory, no more.
    class Blocked {
    public:
        Blocked(PipeBody& pipe, unsigned side, const platform::Parking& parking);
        Blocked(const Blocked&) = delete;
        Blocked& operator=(const Blocked&) = delete;
        ~Blocked() { word_.store(0, std::memory_order_relaxed); }

    private:
        platform::Word& word_;
    };

    PipeBody::Way& incoming() const;

    /// Returns false if this way has gone over to the stream.
    bool put(PipeBody& pipe, std::span<const std::byte> begin, std::span<const std::byte> rest);

    /// Returns whether the other side has to be looked for, as a side that was killed says nothing:
    /// when it does not wake from its sleep, see put(); when many messages were put while it took
    /// none; and before the first one: an end that was closed while the ring was not yet made could
    /// not be counted in it.
    bool is_in_doubt(const Ring& ring);

    /// Rings a watcher of the stream, after a record was put. Returns false if that cannot be done.
    bool ring_if_watched(PipeBody::Way& way);

    /// Throws if no process will receive any more; looks for that if an end was closed since the
    /// last time, or if `anyway`.
    void refuse_if_closed(PipeBody& pipe, bool anyway);

    /// Waits until there is a record, in `taking`; or something to receive, or the end, in the
    /// stream.
    Found await(Ring::Taking& taking, const Deadline& deadline);

    /// Takes both ways over to the stream; what is in the ring already is read first here.
    void leave_rings();

    const PipeRings rings_;
    const unsigned side_;
    std::unique_ptr<StreamTransport> stream_;
    // How many ends had been closed when it was last asked whether the other side is gone: for
    // sending, for receiving.
    std::atomic<std::uint32_t> closings_{0};
    std::atomic<std::uint32_t> heard_{0};
    // For is_in_doubt(): messages that were sent by this; and what had been taken when 64 of them
    // were.
    std::atomic<std::uint32_t> sent_{0};
    std::atomic<std::uint64_t> taken_{0};
    std::atomic<bool> has_left_{false};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/exceptions.hpp>

#include <chrono>
#include <cstring>
#include <system_error>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE RingTransport::~RingTransport() {
    stream_.reset();
    if (!rings_.is_made()) return;
    // After the stream: a waiter that is stirred asks that. Killed before: a waiter looks there
    // now and then.
    PipeBody& pipe = *rings_;
    pipe.closings.fetch_add(1, std::memory_order_seq_cst);
    for (PipeBody::Way& way : pipe.ways) way.ring.stir(rings_.parking());
}

MULTIPROCESSING_INLINE void RingTransport::send(std::span<const std::byte> begin,
                                                std::span<const std::byte> rest,
                                                std::vector<platform::Handle> handles) {
    PipeBody& pipe = *rings_;
    PipeBody::Way& way = pipe.ways[side_];
    if (!handles.empty()) way.ring.shut_down(rings_.parking());
    if (put(pipe, begin, rest)) return;
    const Blocked blocked{pipe, side_, rings_.parking()};
    stream_->send(begin, rest, std::move(handles));
}

MULTIPROCESSING_INLINE bool RingTransport::receive(Incoming& message, Deadline deadline) {
    switch (await(message.taking, deadline)) {
    case Found::record: message.size = message.taking.bytes().size(); return true;
    case Found::stream: return stream_->receive(message, deadline);
    case Found::nothing: break;
    }
    throw TimeoutError("multiprocessing: the other end of a Connection did not send in time");
}

MULTIPROCESSING_INLINE std::vector<std::byte> RingTransport::body(Incoming& message, Deadline deadline) {
    if (!message.taking) return stream_->body(message, deadline);
    const std::span<const std::byte> bytes = message.taking.bytes();
    std::vector<std::byte> body(bytes.begin(), bytes.end());
    message.taking.commit();
    return body;
}

MULTIPROCESSING_INLINE void RingTransport::body_into(Incoming& message, std::span<std::byte> bytes,
                                                     Deadline deadline) {
    if (!message.taking) return stream_->body_into(message, bytes, deadline);
    std::copy_n(message.taking.bytes().begin(), bytes.size(), bytes.begin());
    message.taking.commit();
}

MULTIPROCESSING_INLINE bool RingTransport::poll(Deadline deadline) {
    Ring::Taking taking; // stays, as it is not committed
    const Found found = await(taking, deadline);
    return found == Found::record || (found == Found::stream && stream_->poll(deadline));
}

MULTIPROCESSING_INLINE std::optional<platform::NativeHandle> RingTransport::watch() {
    Ring& ring = incoming().ring;
    const bool over = ring.is_shut_down();
    if (!over) {
        // Either we see the record, or its sender sees that it is to ring.
        incoming().bell.store(1, std::memory_order_seq_cst);
        ring.meet_producers();
    }
    const auto handle = stream_->watch();
    return ring.size() > 0 ? std::nullopt : handle;
}

MULTIPROCESSING_INLINE bool RingTransport::unwatch(bool was_ready) {
    const bool from_stream = stream_->unwatch(was_ready);
    return incoming().ring.size() > 0 || from_stream;
}

MULTIPROCESSING_INLINE const platform::Handle& RingTransport::expose() {
    leave_rings();
    return stream_->expose();
}

MULTIPROCESSING_INLINE std::unique_ptr<Transport> RingTransport::duplicate() const {
    return std::make_unique<RingTransport>(rings_, side_, stream_->duplicate_stream());
}

MULTIPROCESSING_INLINE void RingTransport::export_to(HandleSink& sink, Writer& writer) {
    if (!sink.reaches_shared_memory()) {
        leave_rings();
        return stream_->export_to(sink, writer);
    }
    writer.raw(std::uint8_t{1});
    writer.raw(static_cast<std::uint8_t>(side_));
    rings_.export_to(sink);
    stream_->export_stream(sink, writer);
}

MULTIPROCESSING_INLINE std::unique_ptr<Transport> RingTransport::import_from(HandleSource& source,
                                                                             Reader& reader) {
    if (!reader.flag()) return StreamTransport::import_from(source, reader);
    const auto side = reader.raw<std::uint8_t>();
    if (side > 1) reader.fail("an end of a Pipe is neither of the two");
    PipeRings rings = PipeRings::import_from(source);
    return std::make_unique<RingTransport>(std::move(rings), side,
                                           StreamTransport::import_from(source, reader));
}

MULTIPROCESSING_INLINE RingTransport::Blocked::Blocked(PipeBody& pipe, unsigned side,
                                                       const platform::Parking& parking)
    : word_(pipe.ways[side].blocked) {
    word_.store(1, std::memory_order_seq_cst);
    pipe.ways[1 - side].ring.stir(parking);
}

MULTIPROCESSING_INLINE PipeBody::Way& RingTransport::incoming() const { return (*rings_).ways[1 - side_]; }

MULTIPROCESSING_INLINE bool RingTransport::put(PipeBody& pipe, std::span<const std::byte> begin,
                                               std::span<const std::byte> rest) {
    Ring& ring = pipe.ways[side_].ring;
    refuse_if_closed(pipe, is_in_doubt(ring));
    const auto put_before = [&](const Deadline& deadline, bool beyond) {
        const platform::Word& other = pipe.ways[1 - side_].blocked;
        return ring.put(
            rings_.space(), begin.size() + rest.size(),
            [&](std::byte* to, std::uint64_t from, std::size_t count) {
                if (from < begin.size()) {
                    const std::size_t here = (std::min)(count, begin.size() - static_cast<std::size_t>(from));
                    std::memcpy(to, begin.data() + from, here);
                    to += here;
                    from += here;
                    count -= here;
                }
                if (count) std::memcpy(to, rest.data() + (from - begin.size()), count);
            },
            deadline,
            [&] {
                return other.load(std::memory_order_relaxed) != 0 ||
                       pipe.closings.load(std::memory_order_relaxed) !=
                           closings_.load(std::memory_order_relaxed);
            },
            beyond);
    };
    RingResult result = put_before(Deadline::passed_long_ago(), false);
    if (result == RingResult::timed_out) {
        const Blocked blocked{pipe, side_, rings_.parking()};
        while (result == RingResult::timed_out) {
            refuse_if_closed(pipe, true);
            const bool beyond = pipe.ways[1 - side_].blocked.load(std::memory_order_seq_cst) != 0;
            result = put_before(Deadline::after(slice), beyond);
        }
    }
    if (result == RingResult::shut_down) return false;
    const bool is_heard = ring_if_watched(pipe.ways[side_]) && result == RingResult::done;
    // It may have been received, and the other side be gone since: that is no error of this
    // message. Once it is gone nobody receives any more, so that is asked first.
    if (!is_heard && stream_->is_closed() && ring.size() > 0) refuse_if_closed(pipe, true);
    return true;
}

MULTIPROCESSING_INLINE bool RingTransport::is_in_doubt(const Ring& ring) {
    const std::uint32_t sent = sent_.load(std::memory_order_relaxed) + 1;
    sent_.store(sent, std::memory_order_relaxed);
    if (sent == 1) return true;
    if (sent % 64) return false;
    const std::uint64_t taken = ring.taken();
    return taken_.exchange(taken, std::memory_order_relaxed) == taken && ring.size() > 0;
}

MULTIPROCESSING_INLINE bool RingTransport::ring_if_watched(PipeBody::Way& way) {
    // Killed before it rings: the watcher looks again within a second.
    if (!way.bell.load(std::memory_order_seq_cst) || !way.bell.exchange(0, std::memory_order_relaxed))
        return true;
    if (way.ring.is_shut_down()) return true; // frames come, or have come, which do the same
    try {
        stream_->ring();
        return true;
    } catch (const std::system_error&) { return false; }
}

MULTIPROCESSING_INLINE void RingTransport::refuse_if_closed(PipeBody& pipe, bool anyway) {
    const std::uint32_t closings = pipe.closings.load(std::memory_order_acquire);
    if (!anyway && closings == closings_.load(std::memory_order_relaxed)) return;
    if (stream_->is_closed()) {
        closings_.store(closings - 1, std::memory_order_relaxed); // the next one asks, too
        platform::throw_error(std::make_error_code(std::errc::broken_pipe),
                              "sending to a Connection whose other end is closed");
    }
    closings_.store(closings, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE RingTransport::Found RingTransport::await(Ring::Taking& taking,
                                                                 const Deadline& deadline) {
    PipeBody& pipe = *rings_;
    Ring& ring = pipe.ways[1 - side_].ring;
    const auto was_closed = [&] {
        return pipe.closings.load(std::memory_order_acquire) != heard_.load(std::memory_order_relaxed);
    };
    for (;;) {
        // The first wait is the quick one.
        const RingResult result = ring.begin_take(rings_.space(), taking, deadline, was_closed, 1);
        if (result == RingResult::done) return Found::record;
        if (result == RingResult::shut_down) return Found::stream;
        // The second one also hears of ends that died, and costs nothing while nobody comes.
        heard_.store(pipe.closings.load(std::memory_order_acquire), std::memory_order_relaxed);
        const bool ready = wait_watching(Deadline::after(std::chrono::seconds{1}).sooner(deadline));
        if (ready && stream_->has_ended() && ring.size() == 0) return Found::stream;
        if (!ready && deadline.passed()) return Found::nothing;
    }
}

MULTIPROCESSING_INLINE void RingTransport::leave_rings() {
    PipeBody& pipe = *rings_;
    for (PipeBody::Way& way : pipe.ways) way.ring.shut_down(rings_.parking());
    if (has_left_.exchange(true, std::memory_order_relaxed)) return;
    Ring& ring = incoming().ring;
    // Nobody else reads the stream meanwhile, whose messages are later ones.
    stream_->add_before([&] {
        std::vector<std::byte> frames;
        for (;;) {
            Ring::Taking taking;
            if (ring.begin_take(rings_.space(), taking, Deadline{}) != RingResult::done) return frames;
            const auto record = taking.bytes();
            const FrameHead frame{record.size()};
            frames.insert(frames.end(), frame.bytes().begin(), frame.bytes().end());
            frames.insert(frames.end(), record.begin(), record.end());
            taking.commit();
        }
    });
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
