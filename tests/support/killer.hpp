#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file killer.hpp  Processes that are killed at random instants, for the stress tests of shared structures.

#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/streams.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/tree.hpp>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

namespace support {

namespace detail = multiprocessing::detail;
namespace platform = multiprocessing::detail::platform;

/// `count`, or what MP_STRESS says as a percentage of it: CI runs less, a night runs more.
inline int rounds(int count) {
    const char* percent = std::getenv("MP_STRESS");
    return percent ? std::max(1, count * std::atoi(percent) / 100) : count;
}

/// Numbers for tests: the same for the same seed.
class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    unsigned operator()() { return static_cast<unsigned>(engine_()); }
    unsigned below(std::size_t bound) { return static_cast<unsigned>(engine_() % bound); }

private:
    std::mt19937 engine_;
};

/// A forked member of this process's tree that runs `work()` and ends.
struct Member {
    detail::Incarnation name;
    platform::Child process;

    template <class Work>
    static Member start(Work work) {
        detail::TreeMember& parent = detail::tree();
        const detail::Incarnation name = parent.space.new_incarnation(parent.self);
        platform::flush_standard_streams();
        const int pid = platform::fork_process();
        if (pid == 0) {
            detail::process_wide<detail::Tree>().join(parent.owner, name, nullptr);
            work();
            platform::exit_now(0);
        }
        return {name, platform::Child{pid}};
    }

    /// Waits for its end and returns its exit code.
    int end() {
        platform::wait_one(process.sentinel().native(), detail::Deadline{});
        return process.poll()->exitcode.value();
    }
    void kill() {
        process.kill();
        end();
    }
};

/// Lets `microseconds` pass by spinning, so that kills hit every instant and not only those after a wake.
inline void linger(unsigned microseconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{microseconds};
    while (std::chrono::steady_clock::now() < until) platform::pause();
}

} // namespace support
