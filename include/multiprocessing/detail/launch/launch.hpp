#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file launch.hpp  Starts a child by whichever start method, and ends them all when this process
/// does.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/start_method.hpp>

#include <memory>

namespace multiprocessing::inline v1::detail {

/// Throws `std::runtime_error` if this program cannot be started again as a child: main() did not
/// call freeze_support().
MULTIPROCESSING_INLINE void require_freeze_support(StartMethod method);

/// Starts a child. Throws if it cannot be started; then nothing of it is left.
MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> launch(const LaunchRequest& request);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/launch/by_fork.hpp>
#include <multiprocessing/detail/launch/by_forkserver.hpp>
#include <multiprocessing/detail/launch/by_spawn.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/launch/reaper.hpp>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void require_freeze_support(StartMethod method) {
    if (method == StartMethod::fork || this_process().is_prepared()) return;
    throw std::runtime_error(
        "multiprocessing: starting a process by '" + std::string(to_string(method)) +
        "' runs this program anew, and it has to be told what it is then: call "
        "multiprocessing::freeze_support() first in main(), or link multiprocessing::main");
}

MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> launch(const LaunchRequest& request) {
    require_no_mutex();
    require_available(request.method);
    require_freeze_support(request.method);
    reap_children();
    LaunchState& launching = process_wide<LaunchState>();
    StartNotes notes; // written when nothing is held any more
    if constexpr (platform::can_fork) {
        if (request.method == StartMethod::forkserver) return ForkServerStart{request, launching, notes}.run();
    }
    const NotToEndIn part;
    std::unique_lock lock{launching.mutex};
    prepare_first_start(launching);
    PendingChild birth{request, launching.lifeline()};
    platform::Child process;
    if (request.method == StartMethod::spawn) {
        birth.message = write_message(birth.start, request.call.payload, {});
        process = start_by_spawn(birth, request, launching);
    } else if constexpr (platform::can_fork) {
        lock.unlock(); // see StartByFork
        // For what is closed below: for a moment it is open and registered no longer, and another
        // fork would copy it.
        const ScopeExit locked_again{[&] { lock.lock(); }};
        process = start_by_fork(birth, request, notes);
    }
    return birth.into_child(std::move(process));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
