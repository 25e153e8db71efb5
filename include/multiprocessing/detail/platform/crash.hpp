#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crash.hpp  Contract: a process that crashes leaves word of where.
///
/// * `record_crashes(text)`: from now on this process, should it crash, writes its stack into
///   `text` before it ends as it would have: a line per frame as backtrace() has them, without
///   names, ending in a zero. The memory is shared with a process that outlives this one. What it
///   has started ends before it (POSIX; see process_family.hpp). Crashes that the program handles
///   itself are left to it (POSIX: signals whose action is not the default one). To be called by
///   the thread whose stack may overflow; others have the same but for that. A second call in one
///   process changes where the text goes.
/// * `with_names(text)`: the same with the names of functions, where this process has loaded the
///   same images and the program exports them, without the frames of the library, and with how to
///   get the names that are wanting; as backtrace() has it.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <span>
#include <string>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/crash.hpp>
#else
#include <multiprocessing/detail/posix/crash.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(std::span<char> text, const std::string& recorded) {
    { record_crashes(text) } -> std::same_as<void>;
    { with_names(recorded) } -> std::same_as<std::string>;
});

} // namespace multiprocessing::inline v1::detail::platform
