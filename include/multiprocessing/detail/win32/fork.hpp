#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fork.hpp  Win32 twin: there is no fork.

#include <multiprocessing/detail/config.hpp>

#include <optional>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr bool can_fork = false;

inline int fork_process() {
    throw_error(std::make_error_code(std::errc::operation_not_supported), "Windows cannot fork; use spawn");
}

inline std::optional<int> fork_sibling(int&) { return std::nullopt; }

inline std::optional<int> foreign_threads(int) { return 0; }

} // namespace multiprocessing::inline v1::detail::platform
