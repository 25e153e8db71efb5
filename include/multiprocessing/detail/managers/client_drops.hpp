#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client_drops.hpp  How a process tells a manager's server which references it needs no
/// more.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client_channels.hpp>
#include <multiprocessing/detail/managers/message.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The references that this process gives back. That is done by destructors, so it cannot fail, and
/// does not wait for a server that is stopped: at most one such message is on its way, what comes
/// meanwhile waits here for the next one, which a drop or a call sends.
class ClientDrops {
public:
    explicit ClientDrops(ClientChannels& channels) : channels_(channels) {}

    /// There will be one drop more: makes room for it. Throws `std::bad_alloc`.
    void expect();
    /// `count` references of the object less, after expect().
    void drop(ManagedId object, std::uint64_t count) noexcept;
    /// Sends what waits, if anything does and nothing is on its way.
    void send_rest() noexcept;

private:
    using Lock = std::unique_lock<Mutex>;

    bool is_on_its_way() noexcept;
    void send(Lock& lock) noexcept;

    ClientChannels& channels_;
    Mutex mutex_; // guards what follows
    std::vector<ReleasedReference> waiting_;
    std::size_t expected_ = 0; // drops, those that wait included: there is room for them
    // What is on its way: by which channel, and the number of the call; 0: nothing.
    std::uint32_t channel_ = 0;
    std::uint32_t number_ = 0;
    bool is_patient_ = true; // has not waited in vain for what is on its way
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ClientDrops::expect() {
    const Lock lock{mutex_};
    if (waiting_.capacity() <= expected_) waiting_.reserve((std::max<std::size_t>)(16, 2 * expected_));
    ++expected_;
}

MULTIPROCESSING_INLINE void ClientDrops::drop(ManagedId object, std::uint64_t count) noexcept {
    // So long a server may take that is not stopped: what is dropped is gone soon after.
    constexpr std::chrono::seconds patience{1};
    Lock lock{mutex_};
    waiting_.push_back({object, count}); // there is room
    if (is_on_its_way() && std::exchange(is_patient_, false)) {
        const std::uint32_t channel = channel_;
        const std::uint32_t number = number_;
        lock.unlock();
        const bool is_done = channels_.await(channel, number, Deadline::after(patience));
        lock.lock();
        if (is_done) is_patient_ = true;
    }
    send(lock);
}

MULTIPROCESSING_INLINE void ClientDrops::send_rest() noexcept {
    Lock lock{mutex_};
    send(lock);
}

MULTIPROCESSING_INLINE bool ClientDrops::is_on_its_way() noexcept {
    if (number_ == 0) return false;
    if (channels_.is_asked(channel_, number_)) return true;
    number_ = 0;
    is_patient_ = true;
    return false;
}

MULTIPROCESSING_INLINE void ClientDrops::send(Lock& lock) noexcept {
    if (waiting_.empty() || is_on_its_way()) return;
    constexpr std::size_t most = (CallChannel::page_size - sizeof(RequestHeader)) / sizeof(ReleasedReference);
    const std::size_t count = (std::min)(most, waiting_.size());
    try {
        const auto channel = channels_.try_take();
        if (!channel) return; // the next call takes it along
        const auto payload = std::as_bytes(std::span{waiting_}.first(count));
        const RequestHeader header{CallVerb::release, 0, 0, payload.size(), {}, this_thread()};
        channels_.fill(*channel, {std::as_bytes(std::span{&header, 1}), payload});
        channel_ = *channel;
        number_ = channels_.mark_asked(channel_, Piece::notice);
    } catch (const std::exception&) { return; } // this thread has no name here
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    expected_ -= count;
    const std::uint32_t channel = channel_;
    lock.unlock();
    channels_.post_call(channel); // frees the channel when it has looked at it
    lock.lock();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
