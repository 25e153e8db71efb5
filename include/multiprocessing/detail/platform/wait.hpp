#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  Contract: wait for any of many handles, until a deadline.
///
/// `wait_any(handles, deadline)` returns the positions of all handles that are ready, ascending;
/// empty when the deadline passed. What can be waited for: sentinels of processes (ready once the
/// process ended) and doorbells; POSIX: anything that poll takes (ready when readable or at its
/// end). Any number of handles: past the 64 of Windows, too. Without handles it waits for the
/// deadline. A doorbell that is reported stays rung.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/wait.hpp>
#else
#include <multiprocessing/detail/posix/wait.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(std::span<const NativeHandle> handles, Deadline deadline) {
    { wait_any(handles, deadline) } -> std::same_as<std::vector<std::size_t>>;
});

/// Waits for one handle; false when the deadline passed.
inline bool wait_one(NativeHandle handle, Deadline deadline) {
    return !wait_any({&handle, 1}, deadline).empty();
}

} // namespace multiprocessing::inline v1::detail::platform
