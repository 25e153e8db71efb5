#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file environment.hpp  Changes to the environment of a child.

#include <multiprocessing/detail/config.hpp>

#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace multiprocessing::inline v1 {

/// Changes to the environment of a child: a variable is set to its value, or removed if it has
/// none. `{{"CUDA_VISIBLE_DEVICES", "1"}, {"OLD", std::nullopt}}`
using Environment = std::map<std::string, std::optional<std::string>>;

namespace detail {

/// Throws `std::invalid_argument` for an invalid name of a variable.
inline void check_environment(const Environment& environment) {
    for (const auto& [name, value] : environment) {
        const bool valid = !name.empty() && name.find('=') == std::string::npos &&
                           name.find('\0') == std::string::npos &&
                           (!value || value->find('\0') == std::string::npos);
        if (valid) continue;
        throw std::invalid_argument("multiprocessing: the environment of a child, variable '" + name +
                                    "': a name is not empty and has no '=', and neither it nor the value has a "
                                    "null character; give another one");
    }
}

} // namespace detail

} // namespace multiprocessing::inline v1
