#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread.hpp  Contract: a name for this thread that other processes can ask about.
///
/// * `ThreadName`: 63 bits, never 0. The system's id of the thread and, as ids are used again, when it began. It means the
///   same in all processes of the machine (POSIX: of the pid namespace).
/// * `name_of_this_thread()`: asks the system (POSIX: 10 us, by /proc; where that is not mounted the id alone must do).
///   Another in a forked child.
/// * `lives(name)`: whether that thread still runs; not once it has ended, or its process was killed, reaped or not. If
///   the system will not say, it does. Asks the system.
/// * `is_of_this_process(name)`: whether it is, or may be, one of this process's threads. Asks the system.
/// * `is_main_thread()`: whether the calling thread is the first of this process (Windows: the first that used a lock).

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstdint>

namespace multiprocessing::inline v1::detail::platform {

using ThreadName = std::uint64_t;

/// Free for whoever keeps a name: never set in it.
inline constexpr ThreadName spare_bit_of_thread_name = ThreadName{1} << 63;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/thread.hpp>
#else
#include <multiprocessing/detail/posix/thread.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(ThreadName name) {
    { name_of_this_thread() } noexcept -> std::same_as<ThreadName>;
    { lives(name) } noexcept -> std::same_as<bool>;
    { is_of_this_process(name) } noexcept -> std::same_as<bool>;
    { is_main_thread() } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
