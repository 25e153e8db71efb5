#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor.hpp  POSIX twin: inode numbers, /proc/PID/maps, /dev/shm.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/scope_exit.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr bool names_outlive_processes = true;

inline std::uint64_t identity_of(const MemoryObject& object) noexcept {
    struct stat status;
    return ::fstat(object.handle().native(), &status) == 0 ? status.st_ino : 0;
}

inline Handle reading_end(const Handle& writer) {
    const std::string path = "/proc/self/fd/" + std::to_string(writer.native());
    Handle reader{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!reader.valid()) throw_last_error("reopening a pipe (is /proc mounted?)");
    return reader;
}

inline void leave_family() {
    ::setsid();
    if (::chdir("/") != 0) return; // then a folder of our parent's stays in use, and nothing else
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
    if (null > STDERR_FILENO) ::close(null);
}

/// Calls `look(name, inode)` for each entry of a folder.
template <class Look>
void for_each_entry(const char* folder, Look look) {
    ::DIR* const open = ::opendir(folder);
    if (!open) return;
    const ScopeExit closed{[&] { ::closedir(open); }};
    while (const ::dirent* const entry = ::readdir(open)) look(entry->d_name, std::uint64_t{entry->d_ino});
}

inline constexpr char socket_folder_prefix[] = "pymp-";

inline std::string folder_of_temporary_files() {
    const char* const wanted = std::getenv("TMPDIR");
    return wanted && *wanted ? wanted : "/tmp";
}

/// Of a folder that a Listener has made; marked, as memory may have the same number in another file system.
inline constexpr std::uint64_t folder_mark = std::uint64_t{1} << 63;
inline std::uint64_t identity_of_folder(const std::string& path) noexcept {
    struct stat status;
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) ? status.st_ino | folder_mark : 0;
}

inline bool is_of_process(std::uint64_t identity) noexcept { return (identity & folder_mark) != 0; }

/// Takes these folders away, and the socket in each.
inline void remove_socket_folders(const std::vector<std::uint64_t>& identities) {
    std::vector<std::string> found;
    for (const std::string& parent : {folder_of_temporary_files(), std::string("/tmp")}) {
        for_each_entry(parent.c_str(), [&](const char* name, std::uint64_t inode) {
            if (std::string_view(name).starts_with(socket_folder_prefix) &&
                std::find(identities.begin(), identities.end(), inode | folder_mark) != identities.end())
                found.push_back(parent + "/" + name);
        });
    }
    for (const std::string& folder : found) {
        for_each_entry(folder.c_str(), [&](const char* name, std::uint64_t) {
            if (std::string_view(name).starts_with("sock-")) ::unlink((folder + "/" + name).c_str());
        });
        ::rmdir(folder.c_str());
    }
}

/// Which of the memory objects some process has mapped, of those that we may look at.
inline std::vector<std::uint64_t> mapped_memory() {
    std::vector<std::uint64_t> found;
    for_each_entry("/proc", [&](const char* name, std::uint64_t) {
        if (name[0] < '0' || name[0] > '9') return;
        std::FILE* const maps = std::fopen(("/proc/" + std::string(name) + "/maps").c_str(), "re");
        if (!maps) return;
        const ScopeExit closed{[&] { std::fclose(maps); }};
        char line[512];
        while (std::fgets(line, sizeof line, maps)) {
            // "7f..-7f.. rw-s 00000000 00:1a 4711    /dev/shm/psm_4c6a7b21"
            unsigned long long inode = 0;
            if (std::sscanf(line, "%*s %*s %*s %*s %llu /dev/shm/", &inode) == 1 && inode)
                found.push_back(inode);
        }
    });
    return found;
}

inline void unlink_when_unused(std::vector<std::uint64_t> identities) {
    const auto folders = std::partition(identities.begin(), identities.end(),
                                        [](std::uint64_t identity) { return !is_of_process(identity); });
    remove_socket_folders({folders, identities.end()});
    identities.erase(folders, identities.end());
    for (auto pause = std::chrono::milliseconds{10}; !identities.empty();
         pause = (std::min)(pause * 2, std::chrono::milliseconds{2000})) {
        const std::vector<std::uint64_t> mapped = mapped_memory();
        std::vector<std::uint64_t> waiting;
        for_each_entry("/dev/shm", [&](const char* name, std::uint64_t inode) {
            if (std::find(identities.begin(), identities.end(), inode) == identities.end()) return;
            if (std::find(mapped.begin(), mapped.end(), inode) != mapped.end()) {
                waiting.push_back(inode);
            } else {
                ::shm_unlink(("/" + std::string(name)).c_str());
            }
        });
        identities = std::move(waiting);
        if (!identities.empty()) std::this_thread::sleep_for(pause);
    }
}

} // namespace multiprocessing::inline v1::detail::platform
