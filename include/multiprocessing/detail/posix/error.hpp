#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file error.hpp  POSIX twin: errno.

#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

inline std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

inline bool is_peer_gone(const std::error_code& code) noexcept {
    return code == std::errc::connection_refused || code == std::errc::no_such_file_or_directory ||
           code == std::errc::broken_pipe || code == std::errc::connection_reset ||
           code == std::errc::connection_aborted;
}

} // namespace multiprocessing::inline v1::detail::platform
