#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file frame_stream.hpp  Messages in a stream between a manager's server and a remote client:
/// CPython's frames, of bounded size, each of which arrives in bounded time.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/connection/layered_stream.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One end. One thread receives while one sends.
class FrameStream {
public:
    explicit FrameStream(LayeredStream bytes);
    FrameStream(const FrameStream&) = delete;
    FrameStream& operator=(const FrameStream&) = delete;

    enum class Received { message, nothing, end, refused };
    /// Whether the memory for a message of so many bytes may be taken.
    using Admit = std::function<bool(std::size_t)>;

    /// Waits until the deadline for a message to begin; then for the rest of it for `patience`, and
    /// a second more for each MiB. Throws SerializationError if it is longer than `most`,
    /// TimeoutError if it does not arrive, `std::system_error` if the stream ends within it. A
    /// message that `admit` refuses is read all the same, and forgotten.
    Received receive(std::vector<std::byte>& message, std::size_t most, Deadline begin,
                     std::chrono::seconds patience, const Admit& admit = {});
    /// Sends one message, in two parts. Throws `std::system_error`, `broken_pipe`, if nobody will
    /// receive it.
    void send(std::span<const std::byte> begin, std::span<const std::byte> rest);

    /// Whether there is something to receive, be it the end. A peer that waits for an answer says
    /// nothing meanwhile, so then it is gone. Not while somebody receives.
    bool has_something();
    /// Both ends see the end of the stream. Of any thread.
    void shut() noexcept;

    const platform::Handle& handle() const noexcept { return bytes_.stream().handle(); }

private:
    std::size_t left() const noexcept { return end_ - begin_; }
    /// Reads what is there into `bytes`; 0: the end. Throws TimeoutError at the deadline.
    std::size_t read(std::span<std::byte> bytes, Deadline deadline);
    /// Reads into the buffer until `size` bytes are in it; returns whether the end came before.
    bool buffer(std::size_t size, Deadline deadline);

    LayeredStream bytes_;
    std::vector<std::byte> buffer_; // what was read ahead
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

inline FrameStream::FrameStream(LayeredStream bytes)
    : bytes_(std::move(bytes)), buffer_(std::size_t{16} << 10) {}

inline std::size_t FrameStream::read(std::span<std::byte> bytes, Deadline deadline) {
    const auto got = bytes_.read_some(bytes, deadline);
    if (!got) throw TimeoutError("multiprocessing: a message did not arrive in time");
    return *got;
}

inline bool FrameStream::buffer(std::size_t size, Deadline deadline) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - begin_ < size) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, left());
        end_ -= std::exchange(begin_, 0);
    }
    while (left() < size) {
        const std::size_t got = read(std::span{buffer_}.subspan(end_), deadline);
        if (got == 0) return true;
        end_ += got;
    }
    return false;
}

inline FrameStream::Received FrameStream::receive(std::vector<std::byte>& message, std::size_t most,
                                                  Deadline begin, std::chrono::seconds patience,
                                                  const Admit& admit) {
    message.clear();
    if (left() == 0) {
        try {
            if (buffer(1, begin)) return Received::end;
        } catch (const TimeoutError&) { return Received::nothing; }
    }
    if (left() < FrameHead::short_size && buffer(FrameHead::short_size, Deadline::after(patience)))
        throw_frame_error(std::errc::connection_aborted, "got end of file during message");
    const std::uint64_t size = number_of(std::span{buffer_}.subspan(begin_, FrameHead::short_size));
    begin_ += FrameHead::short_size;
    if (size > most) {
        throw SerializationError("multiprocessing: a message of " + std::to_string(size) +
                                 " bytes exceeds .max_message of the manager, " + std::to_string(most));
    }
    constexpr std::size_t at_first = std::size_t{1} << 20;
    const auto deadline = Deadline::after(patience + std::chrono::seconds{size / at_first});
    if (admit && !admit(static_cast<std::size_t>(size))) {
        for (auto rest = static_cast<std::size_t>(size); rest > 0;) {
            if (left() == 0 && buffer(1, deadline))
                throw_frame_error(std::errc::connection_aborted, "got end of file during message");
            const std::size_t dropped = (std::min)(left(), rest);
            begin_ += dropped;
            rest -= dropped;
        }
        return Received::refused;
    }
    const std::size_t had = (std::min)(left(), static_cast<std::size_t>(size));
    message.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                   buffer_.begin() + static_cast<std::ptrdiff_t>(begin_ + had));
    begin_ += had;
    if (had == size) return Received::message;
    // No more memory is taken than twice what has arrived, and a MiB.
    std::size_t filled = had;
    while (filled < size) {
        if (filled == message.size())
            message.resize(
                static_cast<std::size_t>((std::min<std::uint64_t>)(size, (std::max)(2 * filled, at_first))));
        const std::size_t got = read(std::span{message}.subspan(filled), deadline);
        if (got == 0) throw_frame_error(std::errc::connection_aborted, "got end of file during message");
        filled += got;
    }
    return Received::message;
}

inline void FrameStream::send(std::span<const std::byte> begin, std::span<const std::byte> rest) {
    constexpr std::size_t joined_at_most = 64;
    const std::uint64_t size = begin.size() + rest.size();
    if (size > FrameHead::most_in_short)
        throw SerializationError("multiprocessing: a message of " + std::to_string(size) +
                                 " bytes is too long for a manager");
    const FrameHead head(size);
    std::byte joined[joined_at_most];
    std::memcpy(joined, head.bytes().data(), head.bytes().size());
    std::size_t used = head.bytes().size();
    const std::size_t fits = (std::min)(begin.size(), joined_at_most - used);
    if (fits) std::memcpy(joined + used, begin.data(), fits);
    used += fits;
    begin = begin.subspan(fits);
    if (!begin.empty()) {
        bytes_.write_all({joined, used}, begin);
        if (!rest.empty()) bytes_.write_all(rest, {});
    } else {
        bytes_.write_all({joined, used}, rest);
    }
}

inline bool FrameStream::has_something() { return left() != 0 || bytes_.has_something(); }

inline void FrameStream::shut() noexcept { bytes_.shut(); }

} // namespace multiprocessing::inline v1::detail
