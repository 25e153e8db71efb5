#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_attributes.hpp  Win32 twin: nothing to bring along, as every child starts from its
/// own parent.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <system_error>
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

class Capabilities {
public:
    static Capabilities of_caller() noexcept { return {}; }
    void impose() const {}
};

class HandleLimit {
public:
    static HandleLimit raise() noexcept { return {}; }
    void restore() const noexcept {}
};

/// For the C runtime, which tells the system.
inline void set_variable(const std::string& name, const char* value) {
    if (::_wputenv_s(wide(name).c_str(), wide(value ? value : "").c_str()) != 0)
        throw_error({errno, std::generic_category()}, "setting the variable " + name);
}

inline void apply_surroundings(std::span<const std::byte>, const Handle&) {}

} // namespace multiprocessing::inline v1::detail::platform
