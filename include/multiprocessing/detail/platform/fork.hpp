#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fork.hpp  Contract: continue in a copy of this process, where the system can.
///
/// `can_fork` says whether it can; where not, nobody calls the rest.
/// * `fork_process()`: the child's pid in the parent, 0 in the child; runs the handlers of
///   `call_at_fork`. Throws `std::system_error` in the parent if there was no fork.
/// * `fork_sibling(pid_place)`: as fork_process(), but the new process is a child of *our
///   parent's*: it is waited for there, and lives on when we end. Its pid is in `pid_place`, which
///   may lie in shared memory, before it takes its first step, also if this process is killed
///   inside of the call. Only in a process with a single thread. nullopt where the kernel refuses
///   such a thing, `std::system_error` where there is no room for another process. Runs no handlers
///   of `call_at_fork`: the caller does.
/// * `foreign_threads(own)`: how many threads of this process are neither the calling one nor among
///   `own` threads of ours that never hold a lock of the program's; nullopt where the system does
///   not say.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>

#include <concepts>
#include <optional>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/fork.hpp>
#else
#include <multiprocessing/detail/posix/fork.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(std::same_as<decltype(can_fork), const bool>);
static_assert(requires(int own, int& pid_place) {
    { fork_process() } -> std::same_as<int>;
    { fork_sibling(pid_place) } -> std::same_as<std::optional<int>>;
    { foreign_threads(own) } -> std::same_as<std::optional<int>>;
});

} // namespace multiprocessing::inline v1::detail::platform
