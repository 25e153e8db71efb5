#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file identity.hpp  Win32 twin: process times, the environment.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <boost/winapi/environment.hpp>
#include <boost/winapi/get_current_process.hpp>
#include <boost/winapi/get_current_process_id.hpp>
#include <boost/winapi/get_process_times.hpp>

namespace multiprocessing::inline v1::detail::platform {

using CopiedHandle = void*;

MULTIPROCESSING_INLINE int current_pid() noexcept;

/// Returns when the process was made, in units of 100 ns: no two processes of one id have the same.
MULTIPROCESSING_INLINE std::uint64_t program_token() noexcept;

// The environment of the system: getenv() has a copy of its own in every C runtime, so maybe in
// every DLL.
MULTIPROCESSING_INLINE std::string word(const char* name);

/// `text` is "NAME=value".
MULTIPROCESSING_INLINE void leave_word(const char* name, char* text);

MULTIPROCESSING_INLINE void fill_random(std::span<std::byte> bytes);

inline std::atomic<std::uint32_t>* fork_witness() noexcept { return nullptr; }

inline void call_at_fork(void (*)(), void (*)(), void (*)()) {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstring>
#include <random>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE int current_pid() noexcept { return static_cast<int>(winapi::GetCurrentProcessId()); }

MULTIPROCESSING_INLINE std::uint64_t program_token() noexcept {
    winapi::FILETIME_ made{}, ended, kernel, user;
    winapi::GetProcessTimes(winapi::GetCurrentProcess(), &made, &ended, &kernel, &user);
    return std::uint64_t{made.dwHighDateTime} << 32 | made.dwLowDateTime;
}

MULTIPROCESSING_INLINE std::string word(const char* name) {
    const std::wstring wide_name = wide(name);
    std::wstring text(128, L'\0');
    for (;;) {
        const std::size_t size = winapi::GetEnvironmentVariableW(wide_name.c_str(), text.data(),
                                                                 static_cast<winapi::DWORD_>(text.size()));
        const bool whole = size < text.size(); // else it is what would be needed, with the terminator
        text.resize(size);
        if (whole) return narrow(text);
    }
}

MULTIPROCESSING_INLINE void leave_word(const char* name, char* text) {
    winapi::SetEnvironmentVariableW(wide(name).c_str(), wide(text + std::strlen(name) + 1).c_str());
}

MULTIPROCESSING_INLINE void fill_random(std::span<std::byte> bytes) {
    std::random_device random;
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
