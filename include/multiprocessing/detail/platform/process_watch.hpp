#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_watch.hpp  Contract: learn of the end of a process that is no child of this one.
///
/// `watch_process(pid)` returns a handle that is ready (for `wait_any`) from the end of that
/// process on, an invalid handle where the system has no such way to watch it, and nullopt if there
/// is no such process. A pid may have been used again meanwhile: a caller that has to know asks
/// afterwards whether a thread of the process that was meant still lives (platform/thread.hpp).

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>
#include <optional>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process_watch.hpp>
#else
#include <multiprocessing/detail/posix/process_watch.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(int pid) {
    { watch_process(pid) } -> std::same_as<std::optional<Handle>>;
});

} // namespace multiprocessing::inline v1::detail::platform
