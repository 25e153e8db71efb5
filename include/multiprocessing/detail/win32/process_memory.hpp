#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_memory.hpp  Win32 twin: what a process has committed for itself.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::optional<std::uint64_t> estimate_memory(int pid);

inline std::optional<std::uint64_t> measure_memory(int pid) { return estimate_memory(pid); }

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstddef>

#include <boost/winapi/process.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// PROCESS_MEMORY_COUNTERS_EX.
struct PrivateMemoryCounters {
    winapi::DWORD_ size;
    winapi::DWORD_ faults;
    winapi::SIZE_T_ sizes[8];
    winapi::SIZE_T_ private_usage;
};

MULTIPROCESSING_INLINE std::optional<std::uint64_t> estimate_memory(int pid) {
    constexpr winapi::DWORD_ query_limited_information = 0x1000;
    const Handle process{
        winapi::OpenProcess(query_limited_information, false, static_cast<winapi::DWORD_>(pid))};
    if (!process.valid()) return std::nullopt;
    PrivateMemoryCounters counters{};
    counters.size = sizeof counters;
    if (!K32GetProcessMemoryInfo(process.native(), reinterpret_cast<::_PROCESS_MEMORY_COUNTERS*>(&counters),
                                 sizeof counters))
        return std::nullopt;
    // Wine leaves some of them 0; of a process that has ended they all are.
    constexpr std::size_t working_set = 1;
    constexpr std::size_t page_file = 6;
    for (const std::uint64_t figure :
         {std::uint64_t{counters.private_usage}, std::uint64_t{counters.sizes[page_file]},
          std::uint64_t{counters.sizes[working_set]}}) {
        if (figure != 0) return figure;
    }
    return std::nullopt;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
