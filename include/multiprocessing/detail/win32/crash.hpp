#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crash.hpp  Win32 twin: the filter for exceptions that nobody handles, and the signal that
/// abort() raises.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <span>
#include <string>

#include <boost/winapi/stack_backtrace.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline constinit std::span<char> crash_text{};

MULTIPROCESSING_INLINE void write_crash() noexcept;

MULTIPROCESSING_INLINE long BOOST_WINAPI_WINAPI_CC on_exception(::_EXCEPTION_POINTERS*) noexcept;

MULTIPROCESSING_INLINE void record_crashes(std::span<char> text);

inline std::string with_names(const std::string& text) { return text; } // they are in debug information only

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void write_crash() noexcept {
    const std::span<char> text = crash_text;
    crash_text = {}; // threads may crash together, and writing about it may crash
    void* frames[48];
    const auto count = winapi::RtlCaptureStackBackTrace(1, 48, frames, nullptr);
    std::size_t size = 0;
    for (unsigned i = 0; i < count; ++i) {
        constexpr winapi::DWORD_ from_address = 4;
        constexpr winapi::DWORD_ unchanged = 2;
        winapi::HMODULE_ module = nullptr;
        char file[260] = "";
        if (GetModuleHandleExW(from_address | unchanged, static_cast<const wchar_t*>(frames[i]), &module))
            winapi::GetModuleFileNameA(module, file, sizeof file);
        const auto offset =
            reinterpret_cast<std::uintptr_t>(frames[i]) - reinterpret_cast<std::uintptr_t>(module);
        char line[300];
        const int length =
            std::snprintf(line, sizeof line, "(%s+0x%llx)\n", file, static_cast<unsigned long long>(offset));
        for (int k = 0; k < length && size + 1 < text.size(); ++k) text[size++] = line[k];
        if (size < text.size()) text[size] = 0;
    }
}

MULTIPROCESSING_INLINE long BOOST_WINAPI_WINAPI_CC on_exception(::_EXCEPTION_POINTERS*) noexcept {
    if (!crash_text.empty()) write_crash();
    return 0; // what is done with it next is as it was
}

MULTIPROCESSING_INLINE void record_crashes(std::span<char> text) {
    crash_text = text;
    // A stack that has overflowed has else not the room for the filter.
    winapi::ULONG_ left_over = 64 * 1024;
    SetThreadStackGuarantee(&left_over);
    SetUnhandledExceptionFilter(on_exception);
    const auto before = std::signal(SIGABRT, [](int) {
        if (!crash_text.empty()) write_crash();
    });
    if (before != SIG_DFL && before != SIG_ERR) std::signal(SIGABRT, before);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
