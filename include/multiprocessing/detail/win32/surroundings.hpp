#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file surroundings.hpp  Win32 twin: nothing to bring along, as every child starts from its own parent.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

class Surroundings {
public:
    static Surroundings here() { return {}; }
    bool can_be_taken_on(const Surroundings&) const { return true; }
    std::vector<std::byte> changes(const Surroundings&) const { return {}; }
    Handle folder(const Surroundings&) const { return {}; }
};

struct RightsFiles {};

class Rights {
public:
    static Rights here(RightsFiles&) { return {}; }
    bool equal(const Rights&) const { return true; }
};

class HandleLimit {
public:
    static HandleLimit raise() noexcept { return {}; }
    void restore() const noexcept {}
};

inline void apply_surroundings(std::span<const std::byte>, const Handle&) {}

} // namespace multiprocessing::inline v1::detail::platform
