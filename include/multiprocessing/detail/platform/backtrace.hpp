#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file backtrace.hpp  Contract: the stack as text, and the names of types as people write
/// them.
///
/// * `backtrace(skip)`: one line per frame, innermost first, without the `skip` innermost besides
///   itself, and without those of the library unless there are no others; names where the program
///   exports them (`-rdynamic`), else image and offset, and at the end the command of addr2line
///   that turns these into names and lines. Empty where the system has no such thing.
/// * `UserCode`: while an object of it lives, traces of this thread end with what the function that
///   has it calls.
/// * `ThrowProbe`: a class of which nothing is ever thrown. `catch (const ThrowProbe&) {}` before
///   `catch (...)` makes `thrown_trace()` in that handler the backtrace of where the exception was
///   thrown. It is empty where there was no such clause, the second time, and on systems that
///   cannot say.
/// * `current_exception_name()`: the readable name of the type of the exception that is being
///   handled.
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
    { thrown_trace() } -> std::same_as<std::string>;
    { current_exception_name() } -> std::same_as<std::string>;
    { readable(name) } -> std::same_as<std::string>;
});

} // namespace multiprocessing::inline v1::detail::platform
