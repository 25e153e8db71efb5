#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file launcher.hpp  Starts a child by whichever start method, and ends them all when this process does.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launcher_fork.hpp>
#include <multiprocessing/detail/launcher_forkserver.hpp>
#include <multiprocessing/detail/launcher_spawn.hpp>
#include <multiprocessing/detail/launching.hpp>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Whether the program can be started anew as a child at all.
inline void require_freeze_support(StartMethod method) {
    if (method == StartMethod::fork || self().is_prepared()) return;
    throw std::runtime_error(
        "multiprocessing: starting a process by '" + std::string(to_string(method)) +
        "' runs this program anew, and it has to be told what it is then: call "
        "multiprocessing::freeze_support() first in main(), or link multiprocessing::main");
}

/// Starts a child. Throws if it cannot be started; then nothing of it is left.
inline std::shared_ptr<ChildProcess> launch(const LaunchRequest& request) {
    require_available(request.method);
    require_freeze_support(request.method);
    children().reap(); // as Python does
    Launching& launching = process_wide<Launching>();
    const DeferredLog written_afterwards;
    std::lock_guard lock{launching.mutex};
    if (!std::exchange(launching.ends_children, true)) std::atexit(end_children);
    launching.hold_tree();
    Birth birth{request, launching.lifeline()};
    Block message;
    platform::Child process;
    if (request.method == StartMethod::spawn) {
        message = write_message(birth.start, request.payload, {});
        process = start_by_spawn(birth, request, message, launching);
    } else if constexpr (platform::can_fork) {
        process = request.method == StartMethod::fork ? start_by_fork(birth, request)
                                                      : start_by_forkserver(birth, request, message, launching);
    }
    auto child = birth.into_child(std::move(process), std::move(message));
    children().add(child);
    return child;
}

} // namespace multiprocessing::inline v1::detail
