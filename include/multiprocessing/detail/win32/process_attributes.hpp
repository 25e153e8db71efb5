#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_attributes.hpp  Win32 twin: nothing to bring along, as every child starts from its
/// own parent.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

class Surroundings {
public:
    static Surroundings here();
    bool can_be_taken_on(const Surroundings&) const { return true; }
    std::vector<std::byte> changes(const Surroundings&) const;
    Handle directory(const Surroundings&) const;
};

struct RightsFiles {};

class Rights {
public:
    static Rights here(RightsFiles&);
    bool equal(const Rights&) const { return true; }
};

class Capabilities {
public:
    static Capabilities of_caller() noexcept;
    void impose() const {}
};

class HandleLimit {
public:
    static HandleLimit raise() noexcept;
    void restore() const noexcept {}
};

/// Sets a variable for the C runtime, which tells the system.
MULTIPROCESSING_INLINE void set_variable(const std::string& name, const char* value);

inline void apply_surroundings(std::span<const std::byte>, const Handle&) {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Surroundings Surroundings::here() { return {}; }

MULTIPROCESSING_INLINE std::vector<std::byte> Surroundings::changes(const Surroundings&) const { return {}; }

MULTIPROCESSING_INLINE Handle Surroundings::directory(const Surroundings&) const { return {}; }

MULTIPROCESSING_INLINE Rights Rights::here(RightsFiles&) { return {}; }

MULTIPROCESSING_INLINE Capabilities Capabilities::of_caller() noexcept { return {}; }

MULTIPROCESSING_INLINE HandleLimit HandleLimit::raise() noexcept { return {}; }

MULTIPROCESSING_INLINE void set_variable(const std::string& name, const char* value) {
    if (::_wputenv_s(wide(name).c_str(), wide(value ? value : "").c_str()) != 0)
        throw_error({errno, std::generic_category()}, "setting the variable " + name);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
