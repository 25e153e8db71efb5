#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file start_method.hpp  The start methods of child processes, and the default.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace multiprocessing::inline v1 {

/// How a child process is made.
enum class StartMethod {
    fork,       ///< A copy of this process. Quick for small programs; dangerous beside threads. Not on Windows.
    spawn,      ///< This program, started again. Slowest to start, cleanest.
    forkserver, ///< A copy of a small single-threaded server, which is this program, started again. Not on Windows.
};

/// Returns "fork", "spawn" or "forkserver".
constexpr std::string_view to_string(StartMethod method) noexcept {
    switch (method) {
    case StartMethod::fork: return "fork";
    case StartMethod::spawn: return "spawn";
    case StartMethod::forkserver: return "forkserver";
    }
    return "?";
}

/// Returns the start method of that name; nullopt if there is none. Python: the strings for
/// `set_start_method`.
constexpr std::optional<StartMethod> start_method_from(std::string_view name) noexcept {
    for (const StartMethod method : {StartMethod::fork, StartMethod::spawn, StartMethod::forkserver}) {
        if (name == to_string(method)) return method;
    }
    return std::nullopt;
}

/// Returns the start methods of this platform, the default first. Python:
/// `multiprocessing.get_all_start_methods()`.
MULTIPROCESSING_INLINE std::vector<StartMethod> get_all_start_methods();

namespace detail {

inline constexpr StartMethod default_start_method =
    platform::can_fork ? StartMethod::forkserver : StartMethod::spawn;

/// The start method that the program has chosen.
struct ChosenStartMethod : ForkSafe {
    static constexpr StateSlot slot = StateSlot::start_method;
    std::optional<StartMethod> method;
};

/// Throws `std::invalid_argument` if this platform does not have it.
MULTIPROCESSING_INLINE void require_available(StartMethod method);

/// Returns the value of the variable MULTIPROCESSING_START_METHOD, otherwise the platform's
/// default.
MULTIPROCESSING_INLINE StartMethod start_method_of_environment();

} // namespace detail

/// Returns the default start method: the one that set_start_method() has chosen; otherwise that of
/// the environment variable MULTIPROCESSING_START_METHOD; otherwise the first of
/// get_all_start_methods(). As in Python, the call fixes it. In a child it is the method that the
/// child was started by. Throws `std::invalid_argument` if the variable names no start method of
/// this platform. Python: `multiprocessing.get_start_method()`.
MULTIPROCESSING_INLINE StartMethod get_start_method();

/// Chooses the default start method, once per program, or again with `force`. Throws
/// `std::runtime_error` if it is fixed already, `std::invalid_argument` if this platform does not
/// have `method`. Python: `multiprocessing.set_start_method(method, force=False)`.
MULTIPROCESSING_INLINE void set_start_method(StartMethod method, bool force = false);
inline void set_start_method(const char*, bool = false) = delete; // a StartMethod: mp::StartMethod::spawn

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/identity.hpp>

#include <mutex>
#include <stdexcept>
#include <string>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE std::vector<StartMethod> get_all_start_methods() {
    if constexpr (detail::platform::can_fork) {
        return {StartMethod::forkserver, StartMethod::fork, StartMethod::spawn};
    } else {
        return {StartMethod::spawn};
    }
}

} // namespace multiprocessing::inline v1

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void require_available(StartMethod method) {
    if (method == StartMethod::spawn || platform::can_fork) return;
    throw std::invalid_argument("multiprocessing: this platform has no start method '" +
                                std::string(to_string(method)) +
                                "'; get_all_start_methods() lists those it has");
}

MULTIPROCESSING_INLINE StartMethod start_method_of_environment() {
    const std::string name = platform::word("MULTIPROCESSING_START_METHOD");
    if (name.empty()) return default_start_method;
    const std::optional<StartMethod> method = start_method_from(name);
    if (!method) {
        throw std::invalid_argument("multiprocessing: the variable MULTIPROCESSING_START_METHOD says '" + name +
                                    "', which is no start method: set it to fork, spawn or forkserver");
    }
    require_available(*method);
    return *method;
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE StartMethod get_start_method() {
    auto& chosen = detail::process_wide<detail::ChosenStartMethod>();
    std::lock_guard lock{chosen.mutex};
    if (!chosen.method) chosen.method = detail::start_method_of_environment();
    return *chosen.method;
}

MULTIPROCESSING_INLINE void set_start_method(StartMethod method, bool force) {
    detail::require_available(method);
    auto& chosen = detail::process_wide<detail::ChosenStartMethod>();
    std::lock_guard lock{chosen.mutex};
    if (chosen.method && !force) {
        throw std::runtime_error("multiprocessing: the start method is already '" +
                                 std::string(to_string(*chosen.method)) +
                                 "'; choose it once, early in main, or use get_context() for a second one");
    }
    chosen.method = method;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
