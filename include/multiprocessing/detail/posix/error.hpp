#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file error.hpp  POSIX twin: errno.

#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

inline std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

} // namespace multiprocessing::inline v1::detail::platform
