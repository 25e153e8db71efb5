#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread.hpp  Win32 twin: thread ids and thread times.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstdint>
#include <string>

#include <boost/winapi/access_rights.hpp>
#include <boost/winapi/get_current_process_id.hpp>
#include <boost/winapi/get_current_thread.hpp>
#include <boost/winapi/get_current_thread_id.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/get_thread_times.hpp>
#include <boost/winapi/wait.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE ThreadName thread_name(std::uint32_t id, winapi::HANDLE_ thread) noexcept;

MULTIPROCESSING_INLINE winapi::DWORD_ first_thread() noexcept;

inline bool is_complete(ThreadName) noexcept { return true; }
inline IdSpace id_space() noexcept { return 1; }
MULTIPROCESSING_INLINE IdOrigin begin_id_space() noexcept;
inline void join_id_space(const IdOrigin&) noexcept {}
inline bool children_share_ids() noexcept { return true; }
inline void keep_id_space() noexcept {}
inline bool are_apart(IdSpace, IdSpace) noexcept { return false; }

MULTIPROCESSING_INLINE ThreadName name_of_this_thread() noexcept;

MULTIPROCESSING_INLINE bool lives(ThreadName name) noexcept;

MULTIPROCESSING_INLINE bool is_of_this_process(ThreadName name) noexcept;

inline void name_this_thread(const std::string&) {}

MULTIPROCESSING_INLINE bool is_main_thread() noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/handle.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE ThreadName thread_name(std::uint32_t id, winapi::HANDLE_ thread) noexcept {
    winapi::FILETIME_ made{}, ended, kernel, user;
    winapi::GetThreadTimes(thread, &made, &ended, &kernel, &user);
    // Units of 100 ns, of which the lower 31 bits come again after 214 s.
    return (std::uint64_t{id} | std::uint64_t{made.dwLowDateTime} << 32) & ~spare_bit_of_thread_name;
}

MULTIPROCESSING_INLINE winapi::DWORD_ first_thread() noexcept {
    static const winapi::DWORD_ first = winapi::GetCurrentThreadId();
    return first;
}

MULTIPROCESSING_INLINE IdOrigin begin_id_space() noexcept { return {1, 0, 0}; }

MULTIPROCESSING_INLINE ThreadName name_of_this_thread() noexcept {
    first_thread();
    return thread_name(winapi::GetCurrentThreadId(), winapi::GetCurrentThread());
}

MULTIPROCESSING_INLINE bool lives(ThreadName name) noexcept {
    constexpr winapi::DWORD_ query_limited = 0x0800;
    constexpr winapi::DWORD_ synchronize = 0x00100000;
    constexpr winapi::DWORD_ no_such_thread = 87; // ERROR_INVALID_PARAMETER
    const auto id = static_cast<winapi::DWORD_>(name);
    const Handle thread{::OpenThread(query_limited | synchronize, false, id)};
    if (!thread.valid()) return winapi::GetLastError() != no_such_thread;
    return winapi::WaitForSingleObject(thread.native(), 0) != winapi::wait_object_0 &&
           thread_name(id, thread.native()) == name;
}

MULTIPROCESSING_INLINE bool is_of_this_process(ThreadName name) noexcept {
    constexpr winapi::DWORD_ query_limited = 0x0800;
    const Handle thread{::OpenThread(query_limited, false, static_cast<winapi::DWORD_>(name))};
    return thread.valid() && ::GetProcessIdOfThread(thread.native()) == winapi::GetCurrentProcessId();
}

MULTIPROCESSING_INLINE bool is_main_thread() noexcept { return first_thread() == winapi::GetCurrentThreadId(); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
