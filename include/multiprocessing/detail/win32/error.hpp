#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file error.hpp  Win32 twin: GetLastError.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <array>
#include <system_error>

#include <boost/winapi/get_last_error.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline std::error_code last_error() noexcept {
    return {static_cast<int>(boost::winapi::GetLastError()), std::system_category()};
}

inline bool is_peer_gone(const std::error_code& code) noexcept {
    if (code == std::errc::broken_pipe || code == std::errc::connection_refused) return true;
    if (code.category() != std::system_category()) return false;
    constexpr std::array of_pipes{2, 3, 64, 109, 232, 233, 1225, 1236}; // no such one, broken, closed
    constexpr std::array of_sockets{10053, 10054, 10061};               // aborted, reset, refused
    const auto is_among = [&](const auto& codes) {
        return std::find(codes.begin(), codes.end(), code.value()) != codes.end();
    };
    return is_among(of_pipes) || is_among(of_sockets);
}

} // namespace multiprocessing::inline v1::detail::platform
