#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file call_list.hpp  Which channels ask, in the order in which they did.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/layout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Puts a channel on the list. Its `call` is odd already. One instruction publishes it, so a list
/// has no state between: a client that dies around it has asked or has not.
MULTIPROCESSING_INLINE void push_call(ManagerBody& body, std::uint32_t index) noexcept;

/// Takes all of the list and appends it to `calls`, the first to come first. Of the server, which
/// reads the links of channels that nobody else writes until they are answered. There is no ABA:
/// nobody takes a single one.
template <class Calls>
void take_calls(ManagerBody& body, Calls& calls) {
    if (body.head.load(std::memory_order_relaxed) == 0) return;
    const auto before = static_cast<std::ptrdiff_t>(calls.size());
    std::uint32_t at = body.head.exchange(0, std::memory_order_acquire);
    // A wild write in a client must not send the server round in a circle.
    for (std::uint32_t count = 0; at != 0 && count < ManagerBody::channel_count; ++count) {
        if (at > ManagerBody::channel_count) break;
        calls.push_back(at - 1);
        at = body.channels[at - 1].next.load(std::memory_order_relaxed);
    }
    std::reverse(calls.begin() + before, calls.end());
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void push_call(ManagerBody& body, std::uint32_t index) noexcept {
    CallChannel& channel = body.channels[index];
    std::uint32_t first = body.head.load(std::memory_order_relaxed);
    do {
        channel.next.store(first, std::memory_order_relaxed);
        // Killed here: the call is never carried out; the server frees the channel with the
        // client's others. Release: what the client wrote is seen by the taker of the list.
    } while (!body.head.compare_exchange_weak(first, index + 1, std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
