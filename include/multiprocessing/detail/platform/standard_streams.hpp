#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_streams.hpp  Contract: the standard streams of the program, around the start and
/// the end of a process.
///
/// * `flush_standard_streams()`: what was written to stdout, stderr and their C++ streams goes out.
///   Skips a stream that another thread holds, as that thread may sit in it forever; so it waits
///   for nobody but the far end of a full pipe. (Windows: does not skip, as a lock cannot be tried
///   there; so it waits for a thread that is writing, too.) Other FILEs are the program's own
///   business.
/// * `flush_what_was_printed()`: the same if they hold anything, which costs 3 ns to ask. (Windows:
///   cannot ask the C streams.)
/// * `drop_what_was_printed()`: in the only thread of a copy: what the original had printed and not
///   yet written is the original's to write. Only where `can_fork`.
/// * `take_null_input()`: from now on standard input is the null device, and nothing that was read
///   ahead is left.
/// * `standard_outputs()`: the handles of standard output and error, for a message to another
///   process, and `take_standard_outputs(handles)`, which makes them this process's. One that is
///   closed is invalid, and is closed there. Only where `can_fork`.
/// * `is_terminal_error()`: whether a person watches standard error. `terminal_width()` and
///   `terminal_height()`: its columns and rows, 80 and 24 if unknown. `can_move_cursor()`: whether
///   it understands ANSI's sequences (Windows: also has it understand them). `shows_blocks()`:
///   whether it is likely to show the block characters of UTF-8, as the locale says.
/// * `write_error(text)`: at once and in one piece to standard error, around all buffers; errors
///   are ignored.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <array>
#include <concepts>
#include <string_view>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/standard_streams.hpp>
#else
#include <multiprocessing/detail/posix/standard_streams.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(std::string_view text) {
    { flush_standard_streams() } noexcept -> std::same_as<void>;
    { flush_what_was_printed() } noexcept -> std::same_as<void>;
    { drop_what_was_printed() } noexcept -> std::same_as<void>;
    { take_null_input() } -> std::same_as<void>;
    { standard_outputs() } -> std::same_as<std::array<NativeHandle, 2>>;
    { take_standard_outputs(standard_outputs()) } -> std::same_as<void>;
    { is_terminal_error() } noexcept -> std::same_as<bool>;
    { terminal_width() } noexcept -> std::same_as<int>;
    { terminal_height() } noexcept -> std::same_as<int>;
    { can_move_cursor() } noexcept -> std::same_as<bool>;
    { shows_blocks() } noexcept -> std::same_as<bool>;
    { write_error(text) } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
