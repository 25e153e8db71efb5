#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_connection.hpp  A connection of a remote client, as the server of a manager has it.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/managers/remote_caller.hpp>
#include <multiprocessing/detail/remote_managers/frame_stream.hpp>
#include <multiprocessing/detail/remote_managers/session.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A connection of a remote client, which one thread serves at a time.
///
/// Where a call exceeds its time, the watcher answers for it, and another thread goes on with the
/// connection: the one that is in the call is forgotten, as `turn` tells it when it comes back.
struct RemoteConnection {
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::time_point never = (Clock::time_point::max)();

    explicit RemoteConnection(Accepted&& accepted) : frames(std::move(accepted.bytes)) {}

    FrameStream frames;
    std::shared_ptr<RemoteSession> session; ///< Of the thread that serves; set when it has introduced itself.
    Mutex mutex;                            ///< Held while an answer is sent.
    std::uint64_t turn = 0;                 ///< Guarded by it: whose connection it is.
    RemoteCaller* in_call = nullptr;        ///< The same; null: in none.
    std::atomic<Clock::time_point> call_ends{never};
    std::atomic<Clock::time_point> sending_ends{never};
};

} // namespace multiprocessing::inline v1::detail
