#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file named_memory.hpp  Win32 twin: a section of the page file with a name, which is what
/// CPython uses.
///
/// Boost's windows_shared_memory makes the same, but by names in the system's code page: CPython's
/// are UTF-16.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/file_mapping.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/page_protection_flags.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr char named_memory_prefix[] = "wnsm_";

template <class Made>
MemoryObject make_named_memory(const std::string& name, std::uint64_t bytes, Made made) {
    const MemoryRoom room = memory_room();
    if (bytes > room.machine || bytes > room.group) throw_no_memory_for(name, bytes, room);
    Handle handle{winapi::CreateFileMappingW(winapi::INVALID_HANDLE_VALUE_, nullptr, winapi::PAGE_READWRITE_,
                                             static_cast<winapi::DWORD_>(bytes >> 32),
                                             static_cast<winapi::DWORD_>(bytes), wide(name).c_str())};
    const winapi::DWORD_ error = winapi::GetLastError();
    // A name that an event or mutex bears cannot be had either: that is what the second one says.
    if (error == winapi::ERROR_ALREADY_EXISTS_ || (!handle.valid() && error == winapi::ERROR_INVALID_HANDLE_))
        throw_memory_exists(name);
    if (!handle.valid()) {
        constexpr winapi::DWORD_ commitment_limit = 1455;
        if (error == commitment_limit || error == winapi::ERROR_NOT_ENOUGH_MEMORY_)
            throw_no_memory_for(name, bytes, memory_room());
        throw_error({static_cast<int>(error), std::system_category()}, "making " + quoted_memory(name));
    }
    MemoryObject object{std::move(handle)};
    made(object);
    return object;
}

MULTIPROCESSING_INLINE MemoryObject open_named_memory(const std::string& name);

inline void unlink_named_memory(const std::string&) {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE MemoryObject open_named_memory(const std::string& name) {
    constexpr winapi::DWORD_ section_query = 1; // mapped_region asks for the size
    Handle handle{winapi::OpenFileMappingW(winapi::FILE_MAP_READ_ | winapi::FILE_MAP_WRITE_ | section_query,
                                           false, wide(name).c_str())};
    if (!handle.valid()) {
        if (winapi::GetLastError() == winapi::ERROR_FILE_NOT_FOUND_) throw_no_such_memory(name);
        throw_last_error("opening " + quoted_memory(name));
    }
    return MemoryObject{std::move(handle)};
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
