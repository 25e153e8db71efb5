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

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::vector<int> children_of(int pid) {
    std::vector<int> children;
    // Each thread has a list of those that it has started itself.
    const std::string threads = "/proc/" + std::to_string(pid) + "/task";
    DIR* const directory = ::opendir(threads.c_str());
    if (!directory) return children;
    const ScopeExit closed{[directory] { ::closedir(directory); }};
    while (const dirent* const thread = ::readdir(directory)) {
        std::FILE* const list = std::fopen((threads + "/" + thread->d_name + "/children").c_str(), "re");
        if (!list) continue; // "." and "..", or one that has ended
        for (int child = 0; std::fscanf(list, "%d", &child) == 1;) children.push_back(child);
        std::fclose(list);
    }
    return children;
}

MULTIPROCESSING_INLINE Descendants::Descendants(int pid) {
    std::vector<int> family{pid};
    for (std::size_t i = 0; i < family.size() && family.size() < most; ++i) {
        for (const int child : children_of(family[i])) {
            Handle process{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
            if (!process.valid()) continue; // gone, or no descriptor left
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

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
