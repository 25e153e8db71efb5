#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle.hpp  Win32 twin: kernel handles. A child gets none that is not listed at its start.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>
#include <multiprocessing/detail/win32/error.hpp>

#include <cstdint>
#include <system_error>

#include <boost/winapi/get_current_process.hpp>
#include <boost/winapi/handles.hpp>

namespace multiprocessing::inline v1::detail::platform {

struct HandleTraits {
    using Native = void*;

    // Some calls return INVALID_HANDLE_VALUE for "none": their callers turn it into this.
    static constexpr Native invalid() noexcept { return nullptr; }
    static std::uint32_t own(Native) noexcept { return 0; }
    static void keep_in_forked_child(Native) noexcept {}
    static bool disown(Native, std::uint32_t) noexcept { return true; }
    static void close(Native handle) noexcept { winapi::CloseHandle(handle); }
    static Native duplicate(Native handle) {
        const Native self = winapi::GetCurrentProcess();
        Native copy = nullptr;
        if (!winapi::DuplicateHandle(self, handle, self, &copy, 0, false, winapi::DUPLICATE_SAME_ACCESS_))
            throw std::system_error(last_error(), "multiprocessing: duplicating a handle");
        return copy;
    }
};

} // namespace multiprocessing::inline v1::detail::platform
