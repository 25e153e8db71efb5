#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream.hpp  Contract: a byte stream in both directions, with handles in it.
///
/// `make_stream_pair()`: both ends of a new one. Its handles carry handles.
///
/// `Stream` owns one end. One thread may read while another one writes; neither is done by two at
/// once.
/// * `read_some(bytes, deadline, arrived)`: waits until something is there; how many bytes it was,
///   0 at end of file, nullopt when the deadline passed. What came with the *last* byte that was
///   read is put into `arrived`.
/// * `write_all(head, body, handles, drain)`: waits until all is taken. The handles (at most
///   `most_handles`) arrive with bytes of the head, which **must** have four or more. Throws
///   `std::system_error` with `std::errc::broken_pipe` when the other end is closed: never a
///   signal. While it has to wait, what arrives is put into the inbox of `drain`, unless that is
///   null or full, or another thread reads: so two ends that both write at once do not wait for
///   each other.
/// * `watch(inbox)`: a handle for wait_any() that is ready when a read would not wait;
///   `unwatch(inbox)` ends that. If `watch_reads_ahead`, it reads into the inbox, and between the
///   two calls no other thread reads.
/// * `carries_handles()`: false where the other end may be on another machine. If
///   `handles_are_words`, handles do not go beside the bytes but as words among them, which the
///   caller writes before the head: `offer(handle)` makes the word, and leaves the handle open here
///   for the receiver, whose `accept(word)` takes it; empty if that does not work.
/// * `is_closed()`: whether the other end is closed, so that a write would fail.
/// * `shut(handle, reading, writing)`: nothing comes or goes this way any more, at neither end.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm> // for min
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

/// Handles that came with a byte.
struct Arrived {
    std::vector<Handle> handles;
    bool lost = false; ///< There were more; this process has no room for them.
};

/// What was read of a stream before it was asked for. Counts the bytes of the stream, so that it is
/// known with which byte a handle came.
class Inbox {
public:
    /// Returns where to put what is read next; added() must follow.
    std::span<std::byte> room() {
        constexpr std::size_t some = 65'536;
        if (begin_ == end_) begin_ = end_ = 0;
        if (bytes_.size() - end_ < some)
            bytes_.resize(bytes_.size() + (bytes_.size() > some ? bytes_.size() : some));
        return std::span{bytes_}.subspan(end_);
    }
    void added(std::size_t count, Arrived&& arrived) {
        end_ += count;
        came(end_ - begin_, std::move(arrived));
    }
    /// Adds what was read elsewhere.
    void add(std::span<const std::byte> bytes, Arrived&& arrived = {}) {
        bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(end_), bytes.begin(), bytes.end());
        added(bytes.size(), std::move(arrived));
    }
    /// Adds bytes that come before those in it.
    void add_before(std::span<const std::byte> bytes) {
        bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), bytes.begin(), bytes.end());
        end_ += bytes.size();
        for (Arrival& arrival : arrivals_) arrival.position += bytes.size();
    }
    /// Drops the first `count` bytes, which are not wanted.
    void drop(std::size_t count) noexcept {
        begin_ += count;
        position_ += count;
    }

    bool empty() const noexcept { return begin_ == end_; }
    /// Returns whether a writer should not read ahead any more: the other side could fill all
    /// memory.
    bool is_full() const noexcept { return end_ - begin_ >= std::size_t{256} << 20; }
    /// Returns whether there is something to read without waiting: bytes, or the end.
    bool ready() const noexcept { return !empty() || ended; }
    std::span<const std::byte> bytes() const { return std::span{bytes_}.subspan(begin_, end_ - begin_); }

    std::size_t read(std::span<std::byte> into) {
        const std::size_t count = (std::min)(into.size(), end_ - begin_);
        if (count) std::memcpy(into.data(), bytes_.data() + begin_, count);
        begin_ += count;
        taken(count, {});
        if (empty() && bytes_.size() > (std::size_t{1} << 20)) {
            bytes_ = {};
            begin_ = end_ = 0;
        }
        return count;
    }
    /// Notes that `count` bytes were read past the inbox, which is empty.
    void taken(std::size_t count, Arrived&& arrived) {
        position_ += count;
        came(0, std::move(arrived));
    }
    /// Returns the handles of the bytes that were taken since this was called last.
    Arrived take_arrived() {
        Arrived all;
        std::size_t done = 0;
        for (; done < arrivals_.size() && arrivals_[done].position <= position_; ++done) {
            Arrived& some = arrivals_[done].arrived;
            all.lost |= some.lost;
            for (Handle& handle : some.handles) all.handles.push_back(std::move(handle));
        }
        arrivals_.erase(arrivals_.begin(), arrivals_.begin() + static_cast<std::ptrdiff_t>(done));
        return all;
    }

    /// Calls `look(ahead, arrived)` for the handles of bytes that have not been taken: `ahead` of
    /// them end with theirs.
    template <class Look>
    void for_each_arrived(Look look) const {
        for (const Arrival& arrival : arrivals_) {
            if (arrival.position > position_)
                look(static_cast<std::size_t>(arrival.position - position_), arrival.arrived);
        }
    }
    /// Adds what for_each_arrived() reported of another inbox, in its order.
    void add_arrived(std::size_t ahead, Arrived&& arrived) { came(ahead, std::move(arrived)); }

    bool ended = false; ///< After what is in it the stream is at its end.

private:
    struct Arrival {
        std::uint64_t position; // of the byte behind the one that they came with
        Arrived arrived;
    };

    void came(std::size_t ahead, Arrived&& arrived) {
        if (arrived.handles.empty() && !arrived.lost) return;
        arrivals_.push_back({position_ + ahead, std::move(arrived)});
    }

    std::vector<std::byte> bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::uint64_t position_ = 0; // how many bytes were taken
    std::vector<Arrival> arrivals_;
};

/// Where a writer puts what arrives while it waits. The holder of the mutex reads; while there are
/// watchers, a writer does not: they wait for what it would take away.
struct Drain {
    Mutex& reading;
    const std::atomic<int>& watchers;
    Inbox& inbox;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/stream.hpp>
#else
#include <multiprocessing/detail/posix/stream.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(Stream& stream, const Stream& constant, Handle&& handle, std::span<std::byte> in,
                       std::span<const std::byte> out, std::vector<Handle>& handles, Arrived& arrived,
                       Drain* drain, Inbox& inbox, Deadline deadline, bool flag, std::uint64_t word) {
    { make_stream_pair() } -> std::same_as<std::pair<Handle, Handle>>;
    Stream{static_cast<Handle&&>(handle)};
    { constant.handle() } noexcept -> std::same_as<const Handle&>;
    { stream.read_some(in, deadline, arrived) } -> std::same_as<std::optional<std::size_t>>;
    { stream.write_all(out, out, handles, drain) } -> std::same_as<void>;
    { stream.write_some(out) } -> std::same_as<std::size_t>;
    { stream.watch(inbox) } -> std::same_as<NativeHandle>;
    { stream.unwatch(inbox) } -> std::same_as<void>;
    { constant.carries_handles() } noexcept -> std::same_as<bool>;
    { constant.is_closed() } -> std::same_as<bool>;
    { Stream::watch_reads_ahead } -> std::convertible_to<bool>;
    { Stream::handles_are_words } -> std::convertible_to<bool>;
    { Stream::offer(static_cast<Handle&&>(handle)) } -> std::same_as<std::uint64_t>;
    { Stream::accept(word) } -> std::same_as<Handle>;
    { Stream::shut(stream.handle(), flag, flag) } -> std::same_as<void>;
    { Stream::most_handles } -> std::convertible_to<std::size_t>;
});

} // namespace multiprocessing::inline v1::detail::platform
