#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_memory.hpp  POSIX twin: /proc/PID/status and smaps.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::optional<std::uint64_t> estimate_memory(int pid);

MULTIPROCESSING_INLINE std::optional<std::uint64_t> measure_memory(int pid);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace multiprocessing::inline v1::detail::platform {

/// Calls `look(line)` for each line of a file of the kernel's; false if there is none.
template <class Look>
bool for_each_line(const std::string& path, Look look) {
    std::FILE* const file = std::fopen(path.c_str(), "re");
    if (!file) return false;
    const ScopeExit closed{[file] { std::fclose(file); }};
    char line[512];
    while (std::fgets(line, sizeof line, file)) look(static_cast<const char*>(line));
    return true;
}

/// The bytes of a line such as "VmSwap:      12 kB"; nullopt if it is another.
MULTIPROCESSING_INLINE std::optional<std::uint64_t> kilobytes_in(const char* line, const char* name) {
    const std::size_t length = std::strlen(name);
    if (std::strncmp(line, name, length) != 0 || line[length] != ':') return std::nullopt;
    return std::strtoull(line + length + 1, nullptr, 10) * 1024;
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> estimate_memory(int pid) {
    std::optional<std::uint64_t> sum;
    for_each_line("/proc/" + std::to_string(pid) + "/status", [&](const char* line) {
        for (const char* const name : {"RssAnon", "VmSwap"}) {
            if (const auto bytes = kilobytes_in(line, name)) sum = sum.value_or(0) + *bytes;
        }
    });
    return sum;
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> measure_memory(int pid) {
    std::uint64_t sum = 0;
    std::uint64_t alone = 0; // of a mapping: pages that nobody else has mapped
    bool is_complete = false;
    // "Private" of a mapping are pages of files and of shared memory as well, if nobody else has
    // touched them: no more of them are its own than are anonymous.
    const bool is_there = for_each_line("/proc/" + std::to_string(pid) + "/smaps", [&](const char* line) {
        if (const auto clean = kilobytes_in(line, "Private_Clean")) alone = *clean;
        if (const auto dirty = kilobytes_in(line, "Private_Dirty")) alone += *dirty;
        if (const auto anonymous = kilobytes_in(line, "Anonymous")) {
            sum += (std::min)(alone, *anonymous);
            is_complete = true;
        }
        if (const auto swap = kilobytes_in(line, "SwapPss")) sum += *swap;
    });
    return is_there && is_complete ? std::optional(sum) : std::nullopt;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
