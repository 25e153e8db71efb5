#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file resources.hpp  POSIX twin: affinity, /proc/meminfo, control groups of both versions.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Returns the beginning of a small file of the kernel's; empty if it cannot be read.
MULTIPROCESSING_INLINE std::string small_file(const std::string& path);

/// Returns whether `item` is one of the names between commas.
MULTIPROCESSING_INLINE bool lists(std::string_view names, std::string_view item);

/// Returns the directories of the control group of this process that `controller` belongs to, and
/// of its parents. `controller` is empty for version 2.
MULTIPROCESSING_INLINE std::vector<std::string> control_groups(std::string_view controller);

MULTIPROCESSING_INLINE std::optional<std::uint64_t> number_in(const std::string& text);

MULTIPROCESSING_INLINE int machine_processors();

MULTIPROCESSING_INLINE int quota_processors();

MULTIPROCESSING_INLINE int allowed_processors();

MULTIPROCESSING_INLINE MemoryRoom memory_room();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string small_file(const std::string& path) {
    std::string text;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(file, buffer, sizeof buffer)) > 0 && text.size() < 65'536;) {
        text.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(file);
    return text;
}

MULTIPROCESSING_INLINE bool lists(std::string_view names, std::string_view item) {
    while (names.substr(0, names.find(',')) != item) {
        const std::size_t comma = names.find(',');
        if (comma == std::string_view::npos) return false;
        names.remove_prefix(comma + 1);
    }
    return true;
}

MULTIPROCESSING_INLINE std::vector<std::string> control_groups(std::string_view controller) {
    std::vector<std::string> directories;
    const std::string groups = small_file("/proc/self/cgroup");
    for (std::size_t at = 0; at < groups.size();) {
        const std::size_t end = (std::min)(groups.find('\n', at), groups.size());
        // For instance "4:memory:/a/b" or "0::/a/b".
        const std::string_view line = std::string_view(groups).substr(at, end - at);
        at = end + 1;
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        if (!lists(line.substr(first + 1, second - first - 1), controller)) continue;
        std::string directory = "/sys/fs/cgroup";
        if (!controller.empty()) directory.append("/").append(controller);
        // In a container the path may be the host's and not exist here; the root then is the
        // container's own.
        const std::size_t root = directory.size();
        directory.append(line.substr(second + 1));
        for (;;) {
            directories.push_back(directory);
            const std::size_t slash = directory.rfind('/');
            if (slash == std::string::npos || slash < root) break;
            directory.resize(slash);
        }
    }
    return directories;
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> number_in(const std::string& text) {
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(text.c_str(), &end, 10);
    if (end == text.c_str()) return std::nullopt; // "max", or nothing
    return number;
}

MULTIPROCESSING_INLINE int machine_processors() {
    return static_cast<int>((std::max)(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

MULTIPROCESSING_INLINE int quota_processors() {
    int allowed = machine_processors();
    const auto apply = [&](double quota, double period) {
        if (quota > 0 && period > 0) {
            allowed = (std::min)(allowed, static_cast<int>((std::max)(1.0, (quota + period - 1) / period)));
        }
    };
    for (const std::string& directory : control_groups("")) {
        double quota = 0;
        double period = 0;
        const std::string text = small_file(directory + "/cpu.max"); // "max 100000" or "150000 100000"
        if (std::sscanf(text.c_str(), "%lf %lf", &quota, &period) == 2) apply(quota, period);
    }
    for (const std::string& directory : control_groups("cpu")) {
        const std::string quota = small_file(directory + "/cpu.cfs_quota_us"); // -1: none
        if (quota.empty() || quota[0] == '-') continue;
        apply(std::strtod(quota.c_str(), nullptr),
              std::strtod(small_file(directory + "/cpu.cfs_period_us").c_str(), nullptr));
    }
    return allowed;
}

MULTIPROCESSING_INLINE int allowed_processors() {
    int allowed = machine_processors();
    for (int size = 1024; size <= 1 << 20; size *= 4) { // EINVAL: the kernel knows more processors than the set
        cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(size));
        if (!set) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
        const bool fits = ::sched_getaffinity(0, bytes, set) == 0;
        if (fits) allowed = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (fits) break;
    }
    return (std::max)(1, (std::min)(allowed, quota_processors()));
}

MULTIPROCESSING_INLINE MemoryRoom memory_room() {
    std::uint64_t machine = (std::numeric_limits<std::uint64_t>::max)();
    const std::string info = small_file("/proc/meminfo");
    if (const std::size_t at = info.find("MemAvailable:"); at != std::string::npos) {
        machine = std::strtoull(info.c_str() + at + 13, nullptr, 10) * 1024;
    }
    MemoryRoom room{machine, machine};
    const auto apply = [&](std::optional<std::uint64_t> limit, std::optional<std::uint64_t> used) {
        if (limit && used) room.group = (std::min)(room.group, *limit > *used ? *limit - *used : 0);
    };
    for (const std::string& directory : control_groups("")) {
        apply(number_in(small_file(directory + "/memory.max")),
              number_in(small_file(directory + "/memory.current")));
    }
    for (const std::string& directory : control_groups("memory")) {
        apply(number_in(small_file(directory + "/memory.limit_in_bytes")),
              number_in(small_file(directory + "/memory.usage_in_bytes")));
    }
    return room;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
