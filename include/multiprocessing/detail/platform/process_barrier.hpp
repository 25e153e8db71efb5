#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_barrier.hpp  Contract: a memory barrier that one process executes for others.
///
/// Two processes that each write one word and then read the other's must see at least one of the
/// writes. Where one side is hot, its half can be a plain store and load, if the other executes the
/// barrier of both.
/// * `has_process_barrier()`: whether this system can.
/// * `join_process_barrier()`: from now on barriers of others are executed in this process as well;
///   false if the system refuses. Quick in a process with a single thread.
/// * `process_barrier()`: when it returns true, each thread of each process that has joined has
///   executed a full memory barrier since it was called; false if the system refuses.

#include <multiprocessing/detail/config.hpp>

#include <concepts>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process_barrier.hpp>
#else
#include <multiprocessing/detail/posix/process_barrier.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires {
    { has_process_barrier() } noexcept -> std::same_as<bool>;
    { join_process_barrier() } noexcept -> std::same_as<bool>;
    { process_barrier() } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
