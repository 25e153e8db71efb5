#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_family.hpp  Win32 twin: Windows keeps no list of what a process has started.

#include <multiprocessing/detail/config.hpp>

#include <vector>

namespace multiprocessing::inline v1::detail::platform {

inline std::vector<int> children_of(int) { return {}; }

class Descendants {
public:
    explicit Descendants(int) {}
    void kill() noexcept {}
};

} // namespace multiprocessing::inline v1::detail::platform
