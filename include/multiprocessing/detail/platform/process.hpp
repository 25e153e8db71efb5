#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process.hpp  Contract: start a program as a child, watch its end, end it.
///
/// `SpawnRequest` describes a start: the image, the arguments after the program's name, and the
/// handles that the child gets. `pass(handle)` returns a word for the child's command line, which
/// `adopt_handle(word)` turns into an owned handle there. The child gets these handles, standard
/// output and error, the null device as input, and no other handle. Its signal mask is that of
/// `signal_mask()` (the caller's unless set). `spawn(request)` returns the running child, or throws
/// `std::system_error` if the image cannot be started: then nothing was started. A request serves
/// for one start.
///
/// `Child` is one child process of ours, move-only; its destructor neither waits nor kills.
/// * `pid()`, `sentinel()`: the sentinel is ready (for `wait_any`) from the end of the process on.
/// * `poll()`: how it ended, or nullopt while it runs. Takes the exit code from the system once,
///   and keeps it. Windows: what a crash leaves, 0xC0000005 say, is a negative number as well, and
///   signal_name() knows it.
/// * `interrupt()`, `terminate()`, `kill()`: SIGINT, SIGTERM, SIGKILL; nothing if it has ended.
///   Windows: the last two end it at once and differ in the exit code only; interrupt() throws
///   `std::system_error`.
///
/// * `discard()`: ends it at once and waits for that: what could not become a child of ours is not
///   left behind.
/// * `cpu_time()`: what it has used of the processors, nullopt if that is not known: whether it is
///   at work or stands still.
///
/// `report_before_exit(leaks)`: what tools that came with the compiler have to say at the end
/// (leaks, if wanted, and coverage), as exit_now() leaves them no later chance; true if they found
/// leaks. `is_thread_exit()`, in a catch-all handler: whether what is handled is no exception but
/// the end of the thread (POSIX: pthread_exit). `exit_now(code)`: this process ends without any
/// handler, destructor or flush. `exit_interception(call)`: from now on `std::exit(code)`, by
/// whatever thread, calls `call(code)` before any exit handler that was registered earlier; false
/// where the system has no such thing (Windows).

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace multiprocessing::inline v1::detail::platform {

/// How a process ended, and what it used.
struct Ending {
    std::optional<int> exitcode;   ///< -signum when killed by a signal; nullopt if another thread waited for it
    std::uint64_t peak_memory = 0; ///< bytes, 0 if unknown
    std::chrono::microseconds user_time{0};
    std::chrono::microseconds system_time{0};
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process.hpp>
#else
#include <multiprocessing/detail/posix/process.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(std::is_nothrow_move_constructible_v<Child> && !std::is_copy_constructible_v<Child>);
static_assert(requires(SpawnRequest& request, const Handle& handle, const std::string& text, Child& child,
                       std::string_view word, int code, bool flag, void (*call)(int)) {
    SpawnRequest{std::filesystem::path{}};
    { request.argument(text) } -> std::same_as<void>;
    { request.pass(handle) } -> std::same_as<std::string>;
    { request.signal_mask(SignalMask::of_caller()) } -> std::same_as<void>;
    { request.variable("NAME", "value") } -> std::same_as<void>;
    { spawn(request) } -> std::same_as<Child>;
    { adopt_handle(word) } -> std::same_as<Handle>;
    { child.pid() } noexcept -> std::same_as<int>;
    { child.sentinel() } noexcept -> std::same_as<const Handle&>;
    { child.poll() } -> std::same_as<std::optional<Ending>>;
    { child.interrupt() } -> std::same_as<void>;
    { child.terminate() } -> std::same_as<void>;
    { child.kill() } -> std::same_as<void>;
    { child.discard() } noexcept -> std::same_as<void>;
    { child.cpu_time() } noexcept -> std::same_as<std::optional<std::chrono::microseconds>>;
    { report_before_exit(flag) } noexcept -> std::same_as<bool>;
    { is_thread_exit() } noexcept -> std::same_as<bool>;
    exit_now(code);
    { exit_interception(call) } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
