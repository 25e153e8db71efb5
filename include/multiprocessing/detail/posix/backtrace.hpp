#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file backtrace.hpp  POSIX twin: backtrace(3), dladdr, __cxa_demangle: nothing to link, 0.06 s to compile.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <typeinfo>

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

namespace multiprocessing::inline v1::detail::platform {

inline std::string readable(const char* name) {
    int status = 0;
    char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = status == 0 ? text : name;
    std::free(text);
    return result;
}

inline std::string current_exception_name() {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type ? readable(type->name()) : "(an exception of another language)";
}

inline std::string backtrace(int skip) {
    void* frames[64];
    const int count = ::backtrace(frames, 64);
    std::string lines;
    for (int i = skip + 1; i < count; ++i) {
        Dl_info info{};
        char line[64];
        if (::dladdr(frames[i], &info) == 0 || !info.dli_fname) {
            std::snprintf(line, sizeof line, "%p", frames[i]);
            lines += line;
        } else {
            const auto offset =
                reinterpret_cast<std::uintptr_t>(frames[i]) - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
            if (info.dli_sname) lines += readable(info.dli_sname) + " ";
            std::snprintf(line, sizeof line, "+0x%zx", static_cast<std::size_t>(offset));
            lines += "(" + std::string(info.dli_fname) + line + ")";
        }
        lines += '\n';
    }
    return lines;
}

} // namespace multiprocessing::inline v1::detail::platform
