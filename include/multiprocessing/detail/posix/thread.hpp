#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread.hpp  POSIX twin: thread ids, and /proc for when a thread began and whether it is a zombie.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// What /proc says about a thread.
struct ThreadStatus {
    char state;          // 'Z' and 'X' have ended
    std::uint64_t began; // in ticks since the machine did
};

inline std::optional<ThreadStatus> status_of_thread(std::uint32_t id) noexcept {
    char text[512];
    std::snprintf(text, sizeof text, "/proc/%u/stat",
                  id); // threads that are no leaders are there, though not listed
    const int file = ::open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    const ssize_t got = ::read(file, text, sizeof text - 1);
    ::close(file);
    if (got <= 0) return std::nullopt;
    text[got] = '\0';
    // "12 (name) S 1 2 ...": the name may hold anything, so count from its end: state is the first field, start time the
    // twentieth.
    const char* at = std::strrchr(text, ')');
    if (!at || at[1] != ' ') return std::nullopt;
    ThreadStatus status{at[2], 0};
    at += 2;
    for (int field = 1; field < 20; ++field) {
        at = std::strchr(at, ' ');
        if (!at) return std::nullopt;
        ++at;
    }
    status.began = std::strtoull(at, nullptr, 10);
    return status;
}

inline ThreadName thread_name(std::uint32_t id, const std::optional<ThreadStatus>& status) noexcept {
    return (std::uint64_t{id} | (status ? status->began : 0) << 32) & ~spare_bit_of_thread_name;
}

inline ThreadName name_of_this_thread() noexcept {
    const auto id = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    return thread_name(id, status_of_thread(id));
}

inline bool lives(ThreadName name) noexcept {
    const auto id = static_cast<std::uint32_t>(name);
    const auto status = status_of_thread(id);
    // Without /proc neither this nor its beginning is known: tkill sees zombies as alive, which is the most that can be had.
    if (!status) return ::syscall(SYS_tkill, id, 0) == 0 || errno == EPERM;
    return status->state != 'Z' && status->state != 'X' && thread_name(id, status) == name;
}

inline bool is_of_this_process(ThreadName name) noexcept {
    return ::syscall(SYS_tgkill, ::getpid(), static_cast<std::uint32_t>(name), 0) == 0;
}

inline bool is_main_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

} // namespace multiprocessing::inline v1::detail::platform
