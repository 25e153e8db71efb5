#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file barrier_action.hpp  A barrier's shared body, and the function in it that whoever comes last runs.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_barrier.hpp>
#include <multiprocessing/detail/thunk.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space, followed by the bytes of the action's state.
struct BarrierBody {
    SharedBarrier barrier;
    std::uint32_t parties;
    std::int64_t nanoseconds;   ///< Longest wait; negative: no limit.
    std::uint64_t action_bytes; ///< Of the action's state; 0: no action.
    ThunkAddress action;
    char file[160]; ///< Of the image that holds the action, for people.

    void set_timeout(Timeout timeout) noexcept { nanoseconds = timeout.span() ? timeout.span()->count() : -1; }
    Timeout timeout() const noexcept {
        return nanoseconds < 0 ? no_timeout : Timeout{std::chrono::nanoseconds{nanoseconds}};
    }
};

/// An action on its way into a body.
class BarrierAction {
    struct Frame {
        std::span<const std::byte> state;
    };
    template <class Action>
    struct Code {
        static void run(Frame& frame) { static_cast<void>(loads<Action>(frame.state)()); }
    };

public:
    template <class Action>
    static BarrierAction of(const Action& action) {
        static_assert(std::is_invocable_v<Action&>, "the action of a Barrier takes no arguments");
        BarrierAction result;
        result.state_ = dumps(action);
        result.address_ = thunk_address<Code<Action>, Frame>();
        result.file_ = thunk_file<Code<Action>, Frame>();
        return result;
    }

    std::uint64_t bytes() const noexcept { return state_.size(); }

    void write(BarrierBody& body) const noexcept {
        body.action_bytes = state_.size();
        body.action = address_;
        std::memcpy(body.file, file_.data(), (std::min)(file_.size(), sizeof body.file - 1));
        std::memcpy(static_cast<void*>(&body + 1), state_.data(), state_.size());
    }

    /// Runs the action that the body holds.
    static void run(const BarrierBody& body) {
        Frame frame{
            {reinterpret_cast<const std::byte*>(&body + 1), static_cast<std::size_t>(body.action_bytes)}};
        resolve(body.action, body.file).entry(&frame);
    }

private:
    std::vector<std::byte> state_;
    ThunkAddress address_;
    std::string file_;
};

} // namespace multiprocessing::inline v1::detail
