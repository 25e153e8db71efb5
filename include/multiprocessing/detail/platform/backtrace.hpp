#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file backtrace.hpp  Contract: who called whom, as text, and the names of types as people write them.
///
/// * `backtrace(skip)`: one line per frame, innermost first, without the `skip` innermost besides itself; names where the
///   program exports them (`-rdynamic`), else image and offset, which addr2line turns into lines. Empty where the
///   system has no such thing.
/// * `current_exception_name()`: the readable name of the type of the exception that is being handled.
/// * `readable(name)`: what `typeid(T).name()` says, demangled.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <string>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/backtrace.hpp>
#else
#include <multiprocessing/detail/posix/backtrace.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(int skip, const char* name) {
    { backtrace(skip) } -> std::same_as<std::string>;
    { current_exception_name() } -> std::same_as<std::string>;
    { readable(name) } -> std::same_as<std::string>;
});

} // namespace multiprocessing::inline v1::detail::platform
