#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server_channel.hpp  A channel as a manager's server sees it: whose it is, and how a
/// call of it is answered.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A client, from its first call until the server knows that it has ended.
struct ClientSession {
    struct Reference {
        std::shared_ptr<ServedObject> object;
        std::uint64_t count = 0;
    };

    Incarnation process = 0;
    int pid = 0;
    platform::Handle end; ///< Ready when it has ended; invalid: looked at once a second.
    bool has_ended = false;
    std::unordered_map<ManagedId, Reference> references;

    /// One reference more of the object, which is null if it is gone; returns whether there is one.
    bool retain(ManagedId id, std::shared_ptr<ServedObject> object);
    /// `count` references less; returns the object if it was the last, to be let go of without the
    /// mutex.
    std::shared_ptr<ServedObject> release(ManagedId id, std::uint64_t count);
};

/// What the server knows of a channel, and how it answers by it. The waiting client is told of an
/// answer by post(), without the server's mutex, which guards all of this.
struct ServerChannel {
    platform::ThreadName owner = 0;   ///< By whose claim it was used last.
    ClientSession* session = nullptr; ///< The owner's.
    std::uint32_t in_hand = 0;        ///< The call that is not answered; 0: none.
    /// The call that a thread is in. Named by its number: when that thread is done, the client
    /// may have asked again.
    std::uint32_t running = 0;
    bool is_orphan = false;         ///< Its owner died while a thread was in its call: that thread frees it.
    std::vector<std::byte> request; ///< The pieces before the last.
    std::vector<std::byte> answer;  ///< What did not fit into the page.
    std::size_t answered = 0;       ///< How much of it has gone.

    /// Writes the answer to the call in hand, and counts the client's references before it can know
    /// of them.
    void place_answer(CallChannel& channel, std::span<const std::byte> payload, const ProxyTargets& references,
                      bool is_failure) noexcept;
    /// Writes what of the answer is still to go, as far as the page holds it.
    void place_next_piece(CallChannel& channel) noexcept;
    /// Says that a piece of the request has come.
    void accept_piece(CallChannel& channel) noexcept;
    /// Nobody uses it: not its owner, which is dead, nor a thread here.
    void free(CallChannel& channel) noexcept;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/local_target.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool ClientSession::retain(ManagedId id, std::shared_ptr<ServedObject> object) {
    Reference& reference = references[id];
    if (!reference.object) reference.object = std::move(object);
    if (!reference.object) {
        references.erase(id);
        return false;
    }
    ++reference.count;
    return true;
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ClientSession::release(ManagedId id, std::uint64_t count) {
    const auto found = references.find(id);
    if (found == references.end()) return nullptr;
    Reference& reference = found->second;
    reference.count -= (std::min)(reference.count, count);
    if (reference.count != 0) return nullptr;
    auto object = std::move(reference.object);
    references.erase(found);
    return object;
}

MULTIPROCESSING_INLINE void ServerChannel::place_answer(CallChannel& channel,
                                                        std::span<const std::byte> payload,
                                                        const ProxyTargets& references,
                                                        bool is_failure) noexcept {
    // What a big message took is not kept.
    constexpr std::size_t kept = 64 * 1024;
    request.clear();
    if (request.capacity() > kept) request.shrink_to_fit();
    answer.clear();
    channel.failed = is_failure;
    std::vector<ManagedId> ids; // those that are counted
    try {
        ids.reserve(references.size());
        for (const auto& target : references) {
            session->retain(target->id(), static_cast<const LocalTarget&>(*target).object);
            ids.push_back(target->id());
        }
        const auto tail = std::as_bytes(std::span{ids});
        channel.references = static_cast<std::uint32_t>(ids.size());
        channel.size = payload.size() + tail.size();
        if (channel.size <= CallChannel::page_size) {
            channel.used = static_cast<std::uint32_t>(channel.size);
            if (!payload.empty()) std::memcpy(channel.page, payload.data(), payload.size());
            if (!tail.empty()) std::memcpy(channel.page + payload.size(), tail.data(), tail.size());
        } else {
            answer.reserve(payload.size() + tail.size());
            answer.assign(payload.begin(), payload.end());
            answer.insert(answer.end(), tail.begin(), tail.end());
            answered = 0;
        }
    } catch (const std::bad_alloc&) { // an exception that the client cannot read, so it throws all the same
        for (const ManagedId id : ids) session->release(id, 1); // `references` keeps the objects
        channel.failed = 1;
        channel.references = 0;
        channel.size = 0;
        channel.used = 0;
        answer.clear();
    }
    if (!answer.empty()) return place_next_piece(channel);
    // Release: the client, which sees the number, sees the answer.
    channel.call.store(std::exchange(in_hand, 0) + 1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void ServerChannel::place_next_piece(CallChannel& channel) noexcept {
    const std::size_t next = (std::min)(answer.size() - answered, CallChannel::page_size);
    if (next != 0) std::memcpy(channel.page, answer.data() + answered, next);
    channel.used = static_cast<std::uint32_t>(next);
    answered += next;
    if (answered == answer.size()) {
        answer = {};
        answered = 0;
    }
    channel.call.store(std::exchange(in_hand, 0) + 1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void ServerChannel::accept_piece(CallChannel& channel) noexcept {
    channel.failed = 0; // else the client takes this for the answer
    channel.used = 0;
    channel.call.store(std::exchange(in_hand, 0) + 1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void ServerChannel::free(CallChannel& channel) noexcept {
    *this = {};
    const std::uint32_t call = channel.call.load(std::memory_order_relaxed);
    if (call % 2 != 0) channel.call.store(call + 1, std::memory_order_relaxed);
    channel.owner.store(0, std::memory_order_release);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
