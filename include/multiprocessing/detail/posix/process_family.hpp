#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_family.hpp  POSIX twin: the lists of children in /proc, a pidfd of each.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <cstddef>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::vector<int> children_of(int pid);

class Descendants {
public:
    explicit Descendants(int pid);
    void kill() noexcept;

private:
    static constexpr std::size_t most = 1024;

    std::vector<Handle> processes_; // the nearest first
};

MULTIPROCESSING_INLINE void end_descendants() noexcept;
inline void end_what_is_left_of(int) noexcept {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Calls `visit(child)` for each number in a list of children.
template <class Visit>
void for_each_number(int list, Visit visit) {
    char text[256];
    int number = 0;
    for (;;) {
        const auto got = ::read(list, text, sizeof text);
        if (got <= 0) return; // each number is followed by a space
        for (ssize_t i = 0; i < got; ++i) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (text[i] - '0');
            } else if (number != 0) {
                visit(std::exchange(number, 0));
            }
        }
    }
}

/// Calls `visit(child)` for each child of a process. Takes memory from the stack alone, and holds
/// two descriptors: a handler may use it.
template <class Visit>
void for_each_child(int pid, Visit visit) {
    char path[40];
    std::snprintf(path, sizeof path, "/proc/%d/task", pid);
    const int threads = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (threads < 0) return;
    alignas(std::uint64_t) char entries[1024];
    for (;;) {
        const long got = ::syscall(SYS_getdents64, threads, entries, sizeof entries);
        if (got <= 0) break;
        for (long at = 0; at < got;) {
            // struct linux_dirent64: inode, offset, length of the entry, type, name
            std::uint16_t size;
            std::memcpy(&size, entries + at + 16, sizeof size);
            const char* const thread = entries + at + 19;
            at += size;
            if (thread[0] == '.') continue;
            // Each thread has a list of those that it has started itself.
            std::snprintf(path, sizeof path, "%.20s/children", thread);
            const int list = ::openat(threads, path, O_RDONLY | O_CLOEXEC);
            if (list < 0) continue; // it has ended
            for_each_number(list, visit);
            ::close(list);
        }
    }
    ::close(threads);
}

inline bool leads_a_session(int pid) noexcept { return ::getsid(pid) == pid; }

MULTIPROCESSING_INLINE std::vector<int> children_of(int pid) {
    std::vector<int> children;
    for_each_child(pid, [&](int child) { children.push_back(child); });
    return children;
}

MULTIPROCESSING_INLINE Descendants::Descendants(int pid) {
    std::vector<int> family{pid};
    for (std::size_t i = 0; i < family.size() && family.size() < most; ++i) {
        for (const int child : children_of(family[i])) {
            Handle process{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
            if (!process.valid() || leads_a_session(child)) continue; // gone, or no descriptor left
            // Still a child of it: so that is what the handle is of, whatever its pid was before.
            const std::vector<int> now = children_of(family[i]);
            if (std::find(now.begin(), now.end(), child) == now.end()) continue;
            processes_.push_back(std::move(process));
            family.push_back(child);
        }
    }
}

MULTIPROCESSING_INLINE void Descendants::kill() noexcept {
    for (const Handle& process : processes_)
        ::syscall(SYS_pidfd_send_signal, process.native(), SIGKILL, nullptr, 0);
}

/// By pids, which belong to them as long as their parents have not waited for them: a parent that
/// is stopped does not, and this process is about to end.
MULTIPROCESSING_INLINE void end_descendants_of(int pid, int generations) noexcept {
    for_each_child(pid, [&](int child) {
        if (leads_a_session(child)) return;
        ::kill(child, SIGSTOP); // so that it starts no other one meanwhile
        if (generations > 1) end_descendants_of(child, generations - 1);
        ::kill(child, SIGKILL);
    });
}

/// Asks without waiting for one: WEXITED, WNOHANG, WNOWAIT and __WALL of <sys/wait.h>, which is not
/// included: see process.hpp.
inline bool has_children() noexcept {
    constexpr int any = 0;
    constexpr int options = 4 | 1 | 0x01000000 | 0x40000000;
    return ::syscall(SYS_waitid, any, 0, nullptr, options, nullptr) == 0 || errno != ECHILD;
}

MULTIPROCESSING_INLINE void end_descendants() noexcept {
    constexpr int most_generations = 8; // each takes some 2 KiB of a handler's stack
    const int error = errno;
    // Nearly every process has none: to read that in its /proc takes 40 us of its end.
    if (has_children()) end_descendants_of(::getpid(), most_generations);
    errno = error;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
