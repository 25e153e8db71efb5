#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file signals.hpp  Contract: what the library does about signals, which is as little as it can.
///
/// * `AllSignalsBlocked`: a guard; threads that start while it lives have every signal blocked for
///   good, so that the program's handlers run in the program's own threads. Windows: nothing.
/// * `BrokenPipeSignalHeld`: a guard; a write to a closed pipe is an error of the call and not a
///   signal, whatever the program does about SIGPIPE, and nothing of it stays pending. Windows:
///   nothing.
/// * `SignalMask::of_caller()`: which signals the calling thread blocks, as a value; `apply()` sets
///   it. A child begins with the mask of the thread that asked for it, also when another thread of
///   ours does the starting.
/// * `ignore_interrupt(ignore)`: this process no longer reacts to Ctrl-C (for workers and servers,
///   at their start), or does by the system's default. Returns whether it was ignored before.
/// * `signal_name(number)`: "SIGKILL"; a number as text if it has no name.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <string>
#include <type_traits>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/signals.hpp>
#else
#include <multiprocessing/detail/posix/signals.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(std::is_default_constructible_v<AllSignalsBlocked> &&
              !std::is_copy_constructible_v<AllSignalsBlocked>);
static_assert(std::is_default_constructible_v<BrokenPipeSignalHeld> &&
              !std::is_copy_constructible_v<BrokenPipeSignalHeld>);
static_assert(std::is_trivially_copyable_v<SignalMask>);
static_assert(requires(int number, bool ignore) {
    { SignalMask::of_caller() } -> std::same_as<SignalMask>;
    { SignalMask::of_caller().apply() } -> std::same_as<void>;
    { ignore_interrupt(ignore) } -> std::same_as<bool>;
    { signal_name(number) } -> std::same_as<std::string>;
});

} // namespace multiprocessing::inline v1::detail::platform
