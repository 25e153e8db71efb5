#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_streams.hpp  Win32 twin: fflush, NUL, the console.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <array>
#include <string_view>

#include <boost/winapi/file_management.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void flush_standard_streams() noexcept;

inline void flush_what_was_printed() noexcept { flush_standard_streams(); }

inline void drop_what_was_printed() noexcept {}

MULTIPROCESSING_INLINE void take_null_input();

MULTIPROCESSING_INLINE std::array<NativeHandle, 2> standard_outputs();

// A child gets them at its start.
inline void take_standard_outputs(const std::array<NativeHandle, 2>&) {}

MULTIPROCESSING_INLINE bool is_terminal_error() noexcept;

MULTIPROCESSING_INLINE int terminal_width() noexcept;
MULTIPROCESSING_INLINE int terminal_height() noexcept;

MULTIPROCESSING_INLINE bool can_move_cursor() noexcept;
MULTIPROCESSING_INLINE bool shows_blocks() noexcept;

MULTIPROCESSING_INLINE void write_error(std::string_view text) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/error.hpp>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void flush_standard_streams() noexcept {
    // The C runtime can lock a FILE, but not try to. So this waits for a thread that is writing to
    // one of the two; not for one that reads standard input, as nothing but these two is flushed.
    const auto flush = [](std::FILE* file, std::ostream& first, std::ostream* second) {
        try {
            first.rdbuf()->pubsync();
            if (second) second->rdbuf()->pubsync();
        } catch (...) { // a buffer of the program's own: what it cannot write is not ours to report
        }
        std::fflush(file);
    };
    flush(stdout, std::cout, nullptr);
    flush(stderr, std::cerr, &std::clog);
}

MULTIPROCESSING_INLINE void take_null_input() {
    if (!std::freopen("NUL", "r", stdin))
        throw_error({errno, std::generic_category()}, "opening the null device");
}

MULTIPROCESSING_INLINE std::array<NativeHandle, 2> standard_outputs() {
    return {standard_handle(standard_output), standard_handle(standard_error)};
}

MULTIPROCESSING_INLINE bool is_terminal_error() noexcept {
    winapi::DWORD_ mode;
    return GetConsoleMode(standard_handle(standard_error), &mode) != 0;
}

/// All zero if it is no console.
inline ConsoleScreen error_screen() noexcept {
    ConsoleScreen screen{};
    if (!GetConsoleScreenBufferInfo(standard_handle(standard_error),
                                    reinterpret_cast<::_CONSOLE_SCREEN_BUFFER_INFO*>(&screen)))
        return {};
    return screen;
}

MULTIPROCESSING_INLINE int terminal_width() noexcept {
    const ConsoleScreen screen = error_screen();
    return screen.right > screen.left ? screen.right - screen.left + 1 : 80;
}

MULTIPROCESSING_INLINE int terminal_height() noexcept {
    const ConsoleScreen screen = error_screen();
    return screen.bottom > screen.top ? screen.bottom - screen.top + 1 : 24;
}

MULTIPROCESSING_INLINE bool can_move_cursor() noexcept {
    constexpr winapi::DWORD_ processes_sequences = 4; // ENABLE_VIRTUAL_TERMINAL_PROCESSING, of Windows 10
    winapi::DWORD_ mode;
    const winapi::HANDLE_ console = standard_handle(standard_error);
    return GetConsoleMode(console, &mode) &&
           ((mode & processes_sequences) || SetConsoleMode(console, mode | processes_sequences));
}

MULTIPROCESSING_INLINE bool shows_blocks() noexcept {
    constexpr winapi::UINT_ utf_8 = 65001;
    return GetConsoleOutputCP() == utf_8;
}

MULTIPROCESSING_INLINE void write_error(std::string_view text) noexcept {
    winapi::DWORD_ put;
    winapi::WriteFile(standard_handle(standard_error), text.data(), static_cast<winapi::DWORD_>(text.size()),
                      &put, nullptr);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
