#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor.hpp  POSIX twin: devices and inode numbers, /proc/PID/maps, /dev/shm.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr bool names_outlive_processes = true;

/// Marks the directories of Listeners, as memory may have the same number.
inline constexpr std::uint64_t directory_mark = std::uint64_t{1} << 63;

inline constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t number) noexcept {
    hash = (hash ^ number) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

/// Returns the identity of a file: many file systems have inodes of the same number.
MULTIPROCESSING_INLINE std::uint64_t identity_of_file(unsigned device_major, unsigned device_minor,
                                                      std::uint64_t inode) noexcept;
MULTIPROCESSING_INLINE std::uint64_t identity_of_file(const struct stat& status) noexcept;

MULTIPROCESSING_INLINE std::uint64_t identity_of(const MemoryObject& object) noexcept;

MULTIPROCESSING_INLINE Handle reading_end(const Handle& writer);

MULTIPROCESSING_INLINE void leave_family();

MULTIPROCESSING_INLINE bool child_has_ended(int pid) noexcept;

/// Calls `look(directory, name)` for each entry of an open directory, which it closes; false if it
/// cannot be read.
template <class Look>
bool for_each_entry(int directory, Look look) {
    ::DIR* const open = directory < 0 ? nullptr : ::fdopendir(directory);
    if (!open) {
        if (directory >= 0) ::close(directory);
        return false;
    }
    const ScopeExit closed{[&] { ::closedir(open); }};
    for (;;) {
        errno = 0;
        const ::dirent* const entry = ::readdir(open);
        if (!entry) return errno == 0;
        look(directory, entry->d_name);
    }
}

/// Opens a directory, but no symbolic link: another user could have put that there.
inline int open_directory(int in, const char* name) noexcept {
    return ::openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

inline constexpr char socket_directory_prefix[] = "pymp-";

MULTIPROCESSING_INLINE std::string directory_of_temporary_files();

/// Returns the identity of a directory that a Listener is about to make, by its name, which is
/// random.
MULTIPROCESSING_INLINE std::uint64_t identity_of_directory(const std::string& path) noexcept;

inline bool is_of_process(std::uint64_t identity) noexcept { return (identity & directory_mark) != 0; }

/// Takes the directory away, and the sockets in it, if it is one, and this user's.
MULTIPROCESSING_INLINE void remove_socket_directory(int parent, const char* name) noexcept;

/// Takes the directories of these identities away.
MULTIPROCESSING_INLINE void remove_socket_directories(const std::vector<std::uint64_t>& identities);

/// Adds what the process has mapped; false if the system is short of what it takes to tell.
MULTIPROCESSING_INLINE bool add_mapped(const std::string& process, std::vector<std::uint64_t>& found);

/// Returns which files some process has mapped, of those that we may look at; nullopt if that is
/// not known.
MULTIPROCESSING_INLINE std::optional<std::vector<std::uint64_t>> mapped_files();

MULTIPROCESSING_INLINE void unlink_when_unused(std::vector<std::uint64_t> identities);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::uint64_t identity_of_file(unsigned device_major, unsigned device_minor,
                                                      std::uint64_t inode) noexcept {
    return (mixed(mixed(device_major, device_minor), inode) & ~directory_mark) | 1;
}

MULTIPROCESSING_INLINE std::uint64_t identity_of_file(const struct stat& status) noexcept {
    return identity_of_file(gnu_dev_major(status.st_dev), gnu_dev_minor(status.st_dev), status.st_ino);
}

MULTIPROCESSING_INLINE std::uint64_t identity_of(const MemoryObject& object) noexcept {
    struct stat status;
    return ::fstat(object.handle().native(), &status) == 0 ? identity_of_file(status) : 0;
}

MULTIPROCESSING_INLINE Handle reading_end(const Handle& writer) {
    const std::string path = "/proc/self/fd/" + std::to_string(writer.native());
    Handle reader{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!reader.valid()) throw_last_error("reopening a pipe by /proc/self/fd, which needs a mounted /proc");
    return reader;
}

MULTIPROCESSING_INLINE void leave_family() {
    ::setsid();
    if (::chdir("/") != 0) return; // then a directory of our parent's stays in use, and nothing else
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return;
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
    if (null > STDERR_FILENO) ::close(null);
}

MULTIPROCESSING_INLINE bool child_has_ended(int pid) noexcept {
    constexpr int no_waiting = 1; // WNOHANG of <sys/wait.h>, which is not included: see process.hpp
    long answer;
    do {
        answer = ::syscall(SYS_wait4, pid, nullptr, no_waiting, nullptr);
    } while (answer < 0 && errno == EINTR);
    return answer == pid ||
           (answer < 0 && errno == ECHILD); // another thread waited for it, or SIGCHLD is ignored
}

MULTIPROCESSING_INLINE std::string directory_of_temporary_files() {
    const char* const wanted = std::getenv("TMPDIR");
    return wanted && *wanted ? wanted : "/tmp";
}

MULTIPROCESSING_INLINE std::uint64_t identity_of_directory(const std::string& path) noexcept {
    std::uint64_t hash = path.size();
    for (const char letter : path) hash = mixed(hash, static_cast<unsigned char>(letter));
    return hash | directory_mark;
}

MULTIPROCESSING_INLINE void remove_socket_directory(int parent, const char* name) noexcept {
    const int directory = open_directory(parent, name);
    struct stat status;
    if (directory < 0) return;
    if (::fstat(directory, &status) != 0 || status.st_uid != ::geteuid()) {
        ::close(directory);
        return;
    }
    for_each_entry(directory, [](int open, const char* entry) {
        struct stat found;
        if (std::string_view(entry).starts_with("sock-") &&
            ::fstatat(open, entry, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(found.st_mode))
            ::unlinkat(open, entry, 0);
    });
    ::unlinkat(parent, name, AT_REMOVEDIR);
}

MULTIPROCESSING_INLINE void remove_socket_directories(const std::vector<std::uint64_t>& identities) {
    if (identities.empty()) return;
    for (const std::string& parent : {directory_of_temporary_files(), std::string("/tmp")}) {
        for_each_entry(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                       [&](int open, const char* name) {
                           if (std::string_view(name).starts_with(socket_directory_prefix) &&
                               std::find(identities.begin(), identities.end(),
                                         identity_of_directory(parent + "/" + name)) != identities.end())
                               remove_socket_directory(open, name);
                       });
    }
}

MULTIPROCESSING_INLINE bool add_mapped(const std::string& process, std::vector<std::uint64_t>& found) {
    std::FILE* const maps = std::fopen(("/proc/" + process + "/maps").c_str(), "re");
    // It has ended, or is another user's: it cannot have mapped what is for this user alone.
    if (!maps) return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
    const ScopeExit closed{[&] { std::fclose(maps); }};
    char line[512];
    for (bool begins = true; std::fgets(line, sizeof line, maps); begins = std::strchr(line, '\n') != nullptr) {
        // "7f..-7f.. rw-s 00000000 00:1a 4711    /dev/shm/psm_4c6a7b21". The path is as the process
        // sees it, which may have other file systems elsewhere: what counts is the device, and the
        // number there.
        unsigned device_major = 0;
        unsigned device_minor = 0;
        unsigned long long inode = 0;
        if (begins && std::sscanf(line, "%*s %*s %*s %x:%x %llu", &device_major, &device_minor, &inode) == 3 &&
            inode)
            found.push_back(identity_of_file(device_major, device_minor, inode));
    }
    return true;
}

MULTIPROCESSING_INLINE std::optional<std::vector<std::uint64_t>> mapped_files() {
    std::vector<std::uint64_t> found;
    bool all = true;
    bool any = false;
    const bool read =
        for_each_entry(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), [&](int, const char* name) {
            if (name[0] < '0' || name[0] > '9') return;
            all = add_mapped(name, found) && all;
            any = true;
        });
    if (!read || !all || !any) return std::nullopt; // without processes it is no /proc
    return found;
}

MULTIPROCESSING_INLINE void unlink_when_unused(std::vector<std::uint64_t> identities) {
    const auto directories = std::partition(identities.begin(), identities.end(),
                                            [](std::uint64_t identity) { return !is_of_process(identity); });
    remove_socket_directories({directories, identities.end()});
    identities.erase(directories, identities.end());
    for (auto pause = std::chrono::milliseconds{10}; !identities.empty();
         pause = (std::min)(pause * 2, std::chrono::milliseconds{2000})) {
        const auto mapped = mapped_files();
        std::vector<std::uint64_t> waiting;
        const bool read = for_each_entry(
            ::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), [&](int directory, const char* name) {
                struct stat status;
                if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
                    status.st_uid != ::geteuid())
                    return;
                const std::uint64_t identity = identity_of_file(status);
                if (std::find(identities.begin(), identities.end(), identity) == identities.end()) return;
                if (!mapped || std::find(mapped->begin(), mapped->end(), identity) != mapped->end()) {
                    waiting.push_back(identity);
                } else {
                    ::unlinkat(directory, name, 0);
                }
            });
        if (read) identities = std::move(waiting);
        if (!identities.empty()) std::this_thread::sleep_for(pause);
    }
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
