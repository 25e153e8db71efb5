#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file resources.hpp  Win32 twin: processor groups, the affinity mask, the commit limit.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <boost/winapi/get_current_process.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE int machine_processors();

inline int quota_processors() { return machine_processors(); }

MULTIPROCESSING_INLINE int allowed_processors();

MULTIPROCESSING_INLINE MemoryRoom memory_room();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <bit>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE int machine_processors() {
    constexpr winapi::WORD_ all_groups = 0xFFFF;
    return (std::max)(1, static_cast<int>(GetActiveProcessorCount(all_groups)));
}

MULTIPROCESSING_INLINE int allowed_processors() {
    // Masks are of one group of at most 64 processors. A process that is bound to no processors may
    // use every group.
    winapi::ULONG_PTR_ own = 0;
    winapi::ULONG_PTR_ group = 0;
    if (!GetProcessAffinityMask(winapi::GetCurrentProcess(), &own, &group) || own == group)
        return machine_processors();
    return (std::max)(1, std::popcount(own));
}

MULTIPROCESSING_INLINE MemoryRoom memory_room() {
    // Memory is refused here when it cannot be committed, be it to the page file, and never taken
    // back by a killer.
    MemoryStatus status{};
    status.size = sizeof status;
    GlobalMemoryStatusEx(reinterpret_cast<::_MEMORYSTATUSEX*>(&status));
    return {status.free_committable, status.free_committable};
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
