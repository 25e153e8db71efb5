#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file backtrace.hpp  Win32 twin: RtlCaptureStackBackTrace. No names: they are in debug
/// information only.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <string>

#include <boost/core/demangle.hpp>
#include <boost/winapi/stack_backtrace.hpp>

#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

namespace multiprocessing::inline v1::detail::platform {

inline std::string readable(const char* name) { return boost::core::demangle(name); }

MULTIPROCESSING_INLINE std::string current_exception_name();

MULTIPROCESSING_INLINE std::string backtrace(int skip);

/// An exception is not looked at before its stack is gone, and traces end with main().
class UserCode {
public:
    static constexpr bool ends_traces = false; ///< Whether the system can.

    UserCode() noexcept {} // not trivial: an object of it is not unused
    UserCode(const UserCode&) = delete;
    UserCode& operator=(const UserCode&) = delete;
};
class ThrowProbe {};
MULTIPROCESSING_INLINE std::string thrown_trace();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/executable.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <typeinfo>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string current_exception_name() {
#if __has_include(<cxxabi.h>)
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type ? readable(type->name()) : "(an exception of another language)";
#else // Microsoft's library tells the types of standard exceptions only
    try {
        throw;
    } catch (const std::exception& error) { return readable(typeid(error).name()); } catch (...) {
        return "(an exception of an unknown type)";
    }
#endif
}

MULTIPROCESSING_INLINE std::string backtrace(int skip) {
    void* frames[62]; // as many as the oldest systems take
    const std::size_t count =
        winapi::RtlCaptureStackBackTrace(static_cast<winapi::DWORD_>(skip + 1), 62, frames, nullptr);
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) {
        char place[32];
        if (const auto image = image_at(frames[i])) {
            const auto offset = reinterpret_cast<std::uintptr_t>(frames[i]) - image->base;
            std::snprintf(place, sizeof place, "+0x%llx", static_cast<unsigned long long>(offset));
            lines += "(" + image->path + place + ")\n";
        } else {
            std::snprintf(place, sizeof place, "%p\n", frames[i]);
            lines += place;
        }
    }
    return lines;
}

MULTIPROCESSING_INLINE std::string thrown_trace() { return {}; }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
