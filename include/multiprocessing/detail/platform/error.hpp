#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file error.hpp  Contract: the last error of the operating system, as an exception.
///
/// * `last_error()`: called right after a system call that failed. The text of what is thrown
///   names the call and, where it helps, the remedy.
/// * `is_peer_gone(code)`: whether it means that nobody is at the other side of a connection, or of
///   one that was to be made; false for what this side lacks.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <string>
#include <system_error>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/error.hpp>
#else
#include <multiprocessing/detail/posix/error.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

/// Throws `std::system_error` for the calling thread's last error; `what` names the call that
/// failed.
[[noreturn]] inline void throw_last_error(const std::string& what) {
    throw std::system_error(last_error(), "multiprocessing: " + what);
}

/// Throws `std::system_error` with `code`; `what` names the call that failed.
[[noreturn]] inline void throw_error(std::error_code code, const std::string& what) {
    throw std::system_error(code, "multiprocessing: " + what);
}

static_assert(requires(std::error_code code) {
    { last_error() } noexcept -> std::same_as<std::error_code>;
    { is_peer_gone(code) } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
