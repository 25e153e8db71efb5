#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client_channels.hpp  By which channels a process calls a manager's server, and how a
/// message goes through one.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The channels by which this process calls one manager's server, of which there are as many as
/// there ever were calls at once: all its threads share them.
class ClientChannels {
public:
    using Spans = std::initializer_list<std::span<const std::byte>>;

    explicit ClientChannels(ManagerLink link) : link_(std::move(link)) {}
    ClientChannels(const ClientChannels&) = delete;
    ClientChannels& operator=(const ClientChannels&) = delete;
    ~ClientChannels();

    const ManagerLink& link() const noexcept { return link_; }
    ManagerBody& body() const { return link_.body(); }
    bool is_here() const noexcept { return origin_.is_here(); }
    /// Throws ProcessError after shutdown(), EOFError where the server was lost.
    void require_open() const;

    /// A channel for one call. Throws `std::system_error` where none is to be had.
    std::uint32_t take();
    void give_back(std::uint32_t index) noexcept;
    /// Sends a request and waits until it is answered, which a failure may be before all of it is
    /// sent. Throws as require_open().
    void send(std::uint32_t index, Spans message) const;
    /// The answer, of which the channel holds the first piece.
    std::vector<std::byte> receive(std::uint32_t index) const;
    /// Posts what is in the page; returns the number that says that it is answered.
    std::uint32_t begin_ask(std::uint32_t index, Piece piece) const;

private:
    std::uint32_t claim() const;
    void ask(std::uint32_t index, Piece piece) const;
    [[noreturn]] void throw_gone() const;
    void look_after_server() const;

    const ManagerLink link_;
    const ForkOrigin origin_;
    Mutex mutex_;
    std::vector<std::uint32_t> idle_; // channels of this process that are in no call
    std::size_t channels_ = 0;        // idle_ has room for all of them
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/call_list.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ClientChannels::~ClientChannels() {
    if (!origin_.is_here()) return; // the original's channels
    // Nobody asks by them any more, so the server does not look at them.
    for (const std::uint32_t index : idle_) body().channels[index].owner.store(0, std::memory_order_release);
}

MULTIPROCESSING_INLINE void ClientChannels::throw_gone() const {
    const ManagerBody& body = link_.body();
    if (body.stage.load(std::memory_order_acquire) == ManagerStage::lost) {
        throw EOFError("multiprocessing: the server of a manager (pid " +
                       std::to_string(body.pid.load(std::memory_order_relaxed)) +
                       ") has ended, and its objects with it: make a new manager");
    }
    throw ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()");
}

MULTIPROCESSING_INLINE void ClientChannels::require_open() const {
    if (link_.body().stage.load(std::memory_order_acquire) >= ManagerStage::failed) [[unlikely]]
        throw_gone();
}

/// The first to see that the server has ended says so to all, who then need not wait out a slice.
MULTIPROCESSING_INLINE void ClientChannels::look_after_server() const {
    ManagerBody& body = link_.body();
    const platform::ThreadName server = body.server.load(std::memory_order_acquire);
    if (server == 0 || platform::lives(server)) return;
    ManagerStage stage = body.stage.load(std::memory_order_relaxed);
    while (stage < ManagerStage::closed &&
           !body.stage.compare_exchange_weak(stage, ManagerStage::lost, std::memory_order_seq_cst)) {}
    // Killed here: the others find it out in their own slices.
    const std::uint32_t used =
        (std::min)(body.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) post(link_.parking(), body.channels[i].place);
}

MULTIPROCESSING_INLINE std::uint32_t ClientChannels::claim() const {
    ManagerBody& body = link_.body();
    const platform::ThreadName me = this_thread();
    for (int attempt = 0; attempt < 100; ++attempt) {
        for (std::uint32_t i = 0; i < ManagerBody::channel_count; ++i) {
            CallChannel& channel = body.channels[i];
            platform::ThreadName owner = channel.owner.load(std::memory_order_relaxed);
            if (owner != 0) continue;
            std::uint32_t used = body.used.load(std::memory_order_relaxed);
            while (used <= i && !body.used.compare_exchange_weak(used, i + 1, std::memory_order_seq_cst)) {}
            // Acquire: what the last owner and the server wrote here is over.
            if (!channel.owner.compare_exchange_strong(owner, me, std::memory_order_seq_cst)) continue;
            // Killed here: no call was made by it; the server asks once a second whether the owner
            // of such a channel lives.
            channel.process.store(tree().self, std::memory_order_relaxed);
            channel.pid.store(platform::current_pid(), std::memory_order_relaxed);
            return i;
        }
        require_open();
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "multiprocessing: all " + std::to_string(ManagerBody::channel_count) +
                                " channels of a manager are in use: let fewer threads call it at once");
}

MULTIPROCESSING_INLINE std::uint32_t ClientChannels::take() {
    {
        std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            const std::uint32_t index = idle_.back();
            idle_.pop_back();
            return index;
        }
        idle_.reserve(channels_ + 1); // giving it back cannot fail
        ++channels_;
    }
    return claim();
}

MULTIPROCESSING_INLINE void ClientChannels::give_back(std::uint32_t index) noexcept {
    // Where the server is gone the call stays open, and the channel as it is: nobody needs it.
    if (body().channels[index].call.load(std::memory_order_relaxed) % 2 != 0) return;
    std::lock_guard lock{mutex_};
    idle_.push_back(index); // there is room
}

MULTIPROCESSING_INLINE std::uint32_t ClientChannels::begin_ask(std::uint32_t index, Piece piece) const {
    ManagerBody& body = link_.body();
    CallChannel& channel = body.channels[index];
    channel.piece = static_cast<std::uint32_t>(piece);
    const std::uint32_t answered = channel.call.load(std::memory_order_relaxed) + 2;
    channel.call.store(answered - 1, std::memory_order_relaxed); // published by the list
    push_call(body, index);
    // Killed here: the call is carried out; the bell was not rung, which the leader's slice, or
    // the next call, makes good.
    post(link_.parking(), body.bell);
    return answered;
}

/// Posts what is in the page, and waits until it is answered.
MULTIPROCESSING_INLINE void ClientChannels::ask(std::uint32_t index, Piece piece) const {
    ManagerBody& body = link_.body();
    const platform::Parking& parking = link_.parking();
    CallChannel& channel = body.channels[index];
    const std::uint32_t answered = begin_ask(index, piece);
    const auto ready = [&] {
        return channel.call.load(std::memory_order_acquire) == answered ||
               body.stage.load(std::memory_order_relaxed) >= ManagerStage::closed;
    };
    // Short slices first: so long may a leader that is stuck hold up others.
    constexpr std::chrono::milliseconds short_slice{1};
    constexpr int short_slices = 10;
    for (int looks = 0;; ++looks) {
        const auto deadline = Deadline::after(Timeout{looks < short_slices ? short_slice : slice});
        if (wait(parking, channel.place, deadline, ready)) break;
        if (body.occupied.load(std::memory_order_relaxed) != 0) {
            body.help.fetch_add(1, std::memory_order_seq_cst);
            post(parking, body.help_place);
        }
        if (looks >= short_slices) look_after_server();
    }
    if (channel.call.load(std::memory_order_acquire) != answered) throw_gone();
}

MULTIPROCESSING_INLINE void ClientChannels::send(std::uint32_t index, Spans message) const {
    CallChannel& channel = link_.body().channels[index];
    std::size_t used = 0;
    for (std::span<const std::byte> rest : message) {
        while (!rest.empty()) {
            if (used == CallChannel::page_size) {
                channel.used = static_cast<std::uint32_t>(used);
                ask(index, Piece::part);
                if (channel.failed != 0) return; // the server has answered, and forgotten what it had
                used = 0;
            }
            const std::size_t next = (std::min)(rest.size(), CallChannel::page_size - used);
            std::memcpy(channel.page + used, rest.data(), next);
            rest = rest.subspan(next);
            used += next;
        }
    }
    channel.used = static_cast<std::uint32_t>(used);
    ask(index, Piece::last);
}

MULTIPROCESSING_INLINE std::vector<std::byte> ClientChannels::receive(std::uint32_t index) const {
    const CallChannel& channel = link_.body().channels[index];
    const std::uint64_t size = channel.size;
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(size));
    for (;;) {
        const std::size_t used = (std::min<std::size_t>)(channel.used, CallChannel::page_size);
        bytes.insert(bytes.end(), channel.page, channel.page + used);
        if (bytes.size() >= size) return bytes;
        if (used == 0)
            throw SerializationError("multiprocessing: an answer of a manager's server ends too early");
        ask(index, Piece::fetch);
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
