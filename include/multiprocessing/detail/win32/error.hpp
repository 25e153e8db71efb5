#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file error.hpp  Win32 twin: GetLastError.

#include <multiprocessing/detail/config.hpp>

#include <system_error>

#include <boost/winapi/get_last_error.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline std::error_code last_error() noexcept {
    return {static_cast<int>(boost::winapi::GetLastError()), std::system_category()};
}

} // namespace multiprocessing::inline v1::detail::platform
