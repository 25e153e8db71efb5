#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file killer.hpp  Processes that are killed at random instants, for the stress tests of shared structures.

#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/reduction.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <utility>

namespace support {

namespace detail = multiprocessing::detail;
namespace platform = multiprocessing::detail::platform;

/// `count`, or what MP_STRESS says as a percentage of it: CI runs less, a night runs more.
inline int rounds(int count) {
    const char* percent = std::getenv("MP_STRESS");
    return percent ? std::max(1, count * std::atoi(percent) / 100) : count;
}
/// How many members to kill: where they are not forked, starting one takes as long as a hundred elsewhere.
inline int kills(int count) { return platform::can_fork ? rounds(count) : std::max(1, rounds(count) / 50); }

/// Waits a moment, in a loop that waits for what another process does; that one may need this processor.
class Spin {
public:
    void operator()() {
        if (++turns_ % 256 == 0) return std::this_thread::yield();
        platform::pause();
    }

private:
    unsigned turns_ = 0;
};

/// Numbers for tests: the same for the same seed.
class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    unsigned operator()() { return static_cast<unsigned>(engine_()); }
    unsigned below(std::size_t bound) { return static_cast<unsigned>(engine_() % bound); }

private:
    std::mt19937 engine_;
};

/// A member of this process's tree that runs `work(argument, seed)` for ever, to be killed. Forked where that can be
/// done, as hundreds of these come and go in the time that a program takes to start.
struct Member {
    detail::Incarnation name;
    platform::Child process;
    std::shared_ptr<detail::ChildProcess> spawned; // where there is no fork

    template <void (*work)(detail::Position argument, unsigned seed)>
    static Member start(detail::Position argument, unsigned seed = 0) {
        if constexpr (platform::can_fork) {
            detail::TreeMember& parent = detail::tree();
            const detail::Incarnation name = parent.space.new_incarnation(parent.self);
            platform::flush_standard_streams();
            const int pid = platform::fork_process();
            if (pid == 0) {
                detail::process_wide<detail::Tree>().join(parent.owner, name, nullptr);
                work(argument, seed);
                platform::exit_now(0);
            }
            return {name, platform::Child{pid}, nullptr};
        } else {
            detail::LaunchRequest request;
            request.identity.name = "Member";
            request.identity.daemon = true;
            request.call = detail::PackedCall::of_entry<Target<work>>();
            request.call.payload = multiprocessing::dumps(std::pair(argument, seed));
            request.supervised = true;
            auto child = detail::launch(request);
            return {child->incarnation(), {}, child};
        }
    }

    void kill() {
        if (spawned) {
            spawned->kill();
            spawned->wait(detail::Deadline{});
            spawned->settle();
        } else {
            process.kill();
            platform::wait_one(process.sentinel().native(), detail::Deadline{});
            process.poll();
        }
    }

private:
    template <void (*work)(detail::Position, unsigned)>
    struct Target {
        static void run(detail::TargetFrame& frame) {
            const auto [argument, seed] =
                multiprocessing::loads<std::pair<detail::Position, unsigned>>(frame.payload);
            work(argument, seed);
        }
    };
};

/// Lets `microseconds` pass by spinning, so that kills hit every instant and not only those after a wake.
inline void linger(unsigned microseconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{microseconds};
    while (std::chrono::steady_clock::now() < until) platform::pause();
}

} // namespace support
