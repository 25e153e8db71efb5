#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client_channels.hpp  By which channels a process calls a manager's server, and how a
/// message goes through one.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/timeout.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// How this process has channels to call one manager's server by: one for each call, which is free
/// for others when the call is through. What a call has used last is tried first.
class ClientChannels {
public:
    using Spans = std::initializer_list<std::span<const std::byte>>;

    explicit ClientChannels(ManagerLink link) : link_(std::move(link)) {}
    ClientChannels(const ClientChannels&) = delete;
    ClientChannels& operator=(const ClientChannels&) = delete;

    const ManagerLink& link() const noexcept { return link_; }
    ManagerBody& body() const { return link_.body(); }
    bool is_here() const noexcept { return origin_.is_here(); }
    /// Throws ProcessError after shutdown(), EOFError where the server was lost.
    void require_open() const;

    /// A channel for one call. Throws `std::system_error` where none is to be had for a second;
    /// where the server will answer at once (see `spare_channels`), waits for one. Throws as
    /// require_open().
    std::uint32_t take(bool is_answered_at_once = false);
    /// The same for a call that is answered at once; nullopt where none is free now.
    std::optional<std::uint32_t> try_take() { return find_free(true); }
    void give_back(std::uint32_t index) noexcept;
    /// Sends a request and waits until it is answered, which a failure may be before all of it is
    /// sent. Throws as require_open().
    void send(std::uint32_t index, Spans message) const;
    /// The answer, of which the channel holds the first piece.
    std::vector<std::byte> receive(std::uint32_t index) const;
    /// Writes into the page what mark_asked() and post_call() send.
    void fill(std::uint32_t index, Spans message) const noexcept;
    /// The page holds what is asked; returns the number that `call` has until it is answered.
    std::uint32_t mark_asked(std::uint32_t index, Piece piece) const noexcept;
    /// Has the server look at it.
    void post_call(std::uint32_t index) const noexcept;
    /// Whether the call of that number is not answered yet.
    bool is_asked(std::uint32_t index, std::uint32_t number) const noexcept;
    /// Waits until it is; returns false after the deadline, and where the server has ended.
    bool await(std::uint32_t index, std::uint32_t number, const Deadline& deadline) const;

private:
    static constexpr std::uint32_t for_all = ManagerBody::channel_count - ManagerBody::spare_channels;

    std::optional<std::uint32_t> find_free(bool is_answered_at_once);
    bool try_claim(std::uint32_t index) const;
    void ask(std::uint32_t index, Piece piece) const;
    [[noreturn]] void throw_gone() const;
    void look_after_server() const;

    const ManagerLink link_;
    const ForkOrigin origin_;
    std::array<std::atomic<std::uint32_t>, 8> last_{}; // used last: index + 1, 0: none
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

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>

namespace multiprocessing::inline v1::detail {

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

MULTIPROCESSING_INLINE bool ClientChannels::try_claim(std::uint32_t index) const {
    ManagerBody& body = link_.body();
    CallChannel& channel = body.channels[index];
    platform::ThreadName owner = channel.owner.load(std::memory_order_relaxed);
    if (owner != 0) return false;
    std::uint32_t used = body.used.load(std::memory_order_relaxed);
    while (used <= index && !body.used.compare_exchange_weak(used, index + 1, std::memory_order_seq_cst)) {}
    // Acquire: what the last owner and the server wrote here is over.
    if (!channel.owner.compare_exchange_strong(owner, this_thread(), std::memory_order_seq_cst)) return false;
    // Killed here: no call was made by it; the server asks once a second whether the owner of
    // such a channel lives.
    channel.process.store(tree().self, std::memory_order_relaxed);
    channel.pid.store(platform::current_pid(), std::memory_order_relaxed);
    return true;
}

MULTIPROCESSING_INLINE std::optional<std::uint32_t> ClientChannels::find_free(bool is_answered_at_once) {
    for (auto& last : last_) {
        if (last.load(std::memory_order_relaxed) == 0) continue;
        const std::uint32_t index = last.exchange(0, std::memory_order_relaxed);
        if (index != 0 && try_claim(index - 1)) return index - 1;
    }
    const std::uint32_t end = is_answered_at_once ? ManagerBody::channel_count : for_all;
    for (std::uint32_t i = 0; i < end; ++i) {
        if (try_claim(i)) return i;
    }
    return std::nullopt;
}

MULTIPROCESSING_INLINE std::uint32_t ClientChannels::take(bool is_answered_at_once) {
    constexpr std::chrono::milliseconds pause{10};
    constexpr int patience = 100;
    for (int attempt = 0; is_answered_at_once || attempt < patience; ++attempt) {
        if (const auto index = find_free(is_answered_at_once)) return *index;
        if (attempt % 10 == 9) look_after_server();
        require_open();
        std::this_thread::sleep_for(pause);
    }
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "multiprocessing: all " + std::to_string(for_all) +
                                " channels of a manager are in calls: let fewer threads call it at once");
}

MULTIPROCESSING_INLINE void ClientChannels::give_back(std::uint32_t index) noexcept {
    CallChannel& channel = body().channels[index];
    // Where the server is gone the call stays open, and the channel as it is: nobody needs it.
    if (channel.call.load(std::memory_order_relaxed) % 2 != 0) return;
    channel.owner.store(0, std::memory_order_release);
    if (index >= for_all) return;
    for (auto& last : last_) {
        std::uint32_t none = 0;
        if (last.load(std::memory_order_relaxed) == 0 &&
            last.compare_exchange_strong(none, index + 1, std::memory_order_relaxed))
            return;
    }
}

MULTIPROCESSING_INLINE std::uint32_t ClientChannels::mark_asked(std::uint32_t index,
                                                                Piece piece) const noexcept {
    CallChannel& channel = link_.body().channels[index];
    channel.piece = static_cast<std::uint32_t>(piece);
    const std::uint32_t number = channel.call.load(std::memory_order_relaxed) + 1;
    channel.call.store(number, std::memory_order_relaxed); // published by the list
    return number;
}

MULTIPROCESSING_INLINE void ClientChannels::post_call(std::uint32_t index) const noexcept {
    ManagerBody& body = link_.body();
    push_call(body, index);
    // Killed here: the call is carried out; the bell was not rung, which the leader's slice, or
    // the next call, makes good.
    post(link_.parking(), body.bell);
}

MULTIPROCESSING_INLINE bool ClientChannels::is_asked(std::uint32_t index, std::uint32_t number) const noexcept {
    return body().channels[index].call.load(std::memory_order_acquire) == number;
}

MULTIPROCESSING_INLINE bool ClientChannels::await(std::uint32_t index, std::uint32_t number,
                                                  const Deadline& deadline) const {
    ManagerBody& body = link_.body();
    const platform::Parking& parking = link_.parking();
    const auto ready = [&] {
        return !is_asked(index, number) || body.stage.load(std::memory_order_relaxed) >= ManagerStage::closed;
    };
    // Short slices first: so long may a leader that is stuck hold up others.
    constexpr std::chrono::milliseconds short_slice{1};
    constexpr int short_slices = 10;
    for (int looks = 0;; ++looks) {
        const Timeout span{looks < short_slices ? short_slice : slice};
        if (wait(parking, body.channels[index].place, Deadline::after(span), ready)) break;
        if (deadline.passed()) return false;
        if (body.occupied.load(std::memory_order_relaxed) != 0) {
            body.help.fetch_add(1, std::memory_order_seq_cst);
            post(parking, body.help_place);
        }
        if (looks >= short_slices) look_after_server();
    }
    return !is_asked(index, number);
}

/// Posts what is in the page, and waits until it is answered.
MULTIPROCESSING_INLINE void ClientChannels::ask(std::uint32_t index, Piece piece) const {
    const std::uint32_t number = mark_asked(index, piece);
    post_call(index);
    if (!await(index, number, Deadline{})) throw_gone();
}

MULTIPROCESSING_INLINE void ClientChannels::fill(std::uint32_t index, Spans message) const noexcept {
    CallChannel& channel = link_.body().channels[index];
    std::size_t used = 0;
    for (const std::span<const std::byte> part : message) {
        if (!part.empty()) std::memcpy(channel.page + used, part.data(), part.size());
        used += part.size();
    }
    channel.used = static_cast<std::uint32_t>(used);
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
