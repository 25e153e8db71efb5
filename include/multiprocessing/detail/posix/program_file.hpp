#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file program_file.hpp  The file of the program that runs here, in all the ways in which it can
/// have been started, and its command line.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#if defined(__GLIBC__)
extern "C" void* __libc_stack_end; // of the dynamic linker: the number of arguments, and then these
#endif

namespace multiprocessing::inline v1::detail::platform {

/// Returns the file that a link of /proc names, read by hand: std::filesystem reports a deleted
/// file as an error.
MULTIPROCESSING_INLINE std::string link_target(const char* link);

/// Returns the strings of /proc/self/cmdline.
MULTIPROCESSING_INLINE std::vector<std::string> whole_command_line();

/// Returns the file that is mapped at `address`; empty if none is.
MULTIPROCESSING_INLINE std::string file_mapped_at(std::uintptr_t address);

/// A program that its dynamic linker was told to run:
/// `/lib64/ld-linux-x86-64.so.2 --library-path DIR ./program ...`. The system knows of the linker
/// only.
struct LinkerStart {
    std::vector<std::string> words; ///< The linker and its options; none if the program was started by itself.
    std::string program;            ///< The program's file.
};

MULTIPROCESSING_INLINE LinkerStart find_linker_start();

/// Returns how the linker was started; found at the first call, as a program may write over its
/// command line.
MULTIPROCESSING_INLINE const LinkerStart& linker_start();

MULTIPROCESSING_INLINE std::filesystem::path program_path();

/// Returns whether a process has mapped the file of that device and number; nullopt if it may not
/// be looked at.
MULTIPROCESSING_INLINE std::optional<bool> has_mapped(const std::string& process, const struct stat& file);

inline bool same_file(const struct stat& one, const struct stat& other) noexcept {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// The program file as it was when the program began. What the system calls the running program is
/// another one where the dynamic linker was started by hand, with the program as its argument; or
/// an emulator runs it (valgrind).
struct KnownProgram {
    std::string path;
    struct stat file {};

    static KnownProgram ask();
    bool is_at(const std::string& place) const;
};

MULTIPROCESSING_INLINE const KnownProgram& known_program();

inline void remember_program() { known_program(); }

MULTIPROCESSING_INLINE std::filesystem::path program_to_spawn();

MULTIPROCESSING_INLINE std::vector<std::string> command_line();

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/resources.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string link_target(const char* link) {
    char buffer[4096];
    const ssize_t size = ::readlink(link, buffer, sizeof buffer);
    return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : std::string();
}

MULTIPROCESSING_INLINE std::vector<std::string> whole_command_line() {
    std::vector<std::string> words;
    const std::string text = small_file("/proc/self/cmdline");
    for (std::size_t at = 0; at < text.size();) {
        words.emplace_back(text.c_str() + at);
        at += words.back().size() + 1;
    }
    return words;
}

MULTIPROCESSING_INLINE std::string file_mapped_at(std::uintptr_t address) {
    std::FILE* const maps = std::fopen("/proc/self/maps", "re");
    if (!maps) return {};
    std::string path;
    char line[4096 + 128];
    while (path.empty() && std::fgets(line, sizeof line, maps)) {
        char* rest = nullptr;
        const std::uintptr_t begin = std::strtoull(line, &rest, 16);
        const std::uintptr_t end = *rest == '-' ? std::strtoull(rest + 1, nullptr, 16) : 0;
        char* const slash = std::strchr(line, '/');
        if (address < begin || address >= end || !slash) continue;
        path = slash;
        if (path.back() == '\n') path.pop_back();
    }
    std::fclose(maps);
    return path;
}

MULTIPROCESSING_INLINE LinkerStart find_linker_start() {
    LinkerStart start;
    // The system tells a program that it started where it put the linker, and tells the linker
    // nothing.
    if (::getauxval(AT_BASE) != 0) return start;
    std::uintptr_t first = 0; // an address in the program
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* argument) {
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& segment = info->dlpi_phdr[i];
                if (segment.p_type != PT_LOAD) continue;
                *static_cast<std::uintptr_t*>(argument) = info->dlpi_addr + segment.p_vaddr;
                break;
            }
            return 1;
        },
        &first);
    const std::string program = file_mapped_at(first);
    if (program.empty() || program == link_target("/proc/self/exe")) return start; // a static program
    std::vector<std::string> words = whole_command_line();
    std::size_t count = 1;
    while (count < words.size() && words[count].starts_with("--")) {
        const std::string& word = words[count++];
        for (const std::string_view with_value : {"--library-path", "--inhibit-rpath", "--audit", "--preload",
                                                  "--argv0", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"}) {
            if (word == with_value) ++count;
        }
    }
    if (count >= words.size()) return start; // no command line that we know: its program is in it somewhere
    words.resize(count);
    start.words = std::move(words);
    start.program = program;
    return start;
}

MULTIPROCESSING_INLINE const LinkerStart& linker_start() {
    static const LinkerStart start = find_linker_start();
    return start;
}

MULTIPROCESSING_INLINE std::filesystem::path program_path() {
    const std::string& program = linker_start().program;
    return program.empty() ? link_target("/proc/self/exe") : program;
}

MULTIPROCESSING_INLINE std::optional<bool> has_mapped(const std::string& process, const struct stat& file) {
    std::FILE* const maps = std::fopen((process + "/maps").c_str(), "re");
    if (!maps) return std::nullopt;
    const ScopeExit closed{[&] { std::fclose(maps); }};
    char line[512];
    bool any = false;
    while (std::fgets(line, sizeof line, maps)) {
        // "7f..-7f.. rw-s 00000000 00:1a 4711    /memfd:multiprocessing (deleted)"
        unsigned device_major = 0;
        unsigned device_minor = 0;
        unsigned long long inode = 0;
        if (std::sscanf(line, "%*x-%*x %*s %*s %x:%x %llu", &device_major, &device_minor, &inode) != 3)
            continue;
        any = true;
        if (inode == file.st_ino && gnu_dev_major(file.st_dev) == device_major &&
            gnu_dev_minor(file.st_dev) == device_minor)
            return true;
    }
    if (!any) return std::nullopt; // opened, and nothing to be read: not ours to see, or it has ended
    return false;
}

MULTIPROCESSING_INLINE KnownProgram KnownProgram::ask() {
    KnownProgram known{link_target("/proc/self/exe")};
    struct stat told;
    const auto* const started = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    const bool found = ::stat(known.path.c_str(), &known.file) == 0;
    if (!started || ::stat(started, &told) != 0 || (found && same_file(told, known.file))) return known;
    if (!has_mapped("/proc/self", told).value_or(false)) return known;
    std::error_code error;
    known.path = std::filesystem::absolute(started, error).string();
    known.file = told;
    return known;
}

MULTIPROCESSING_INLINE bool KnownProgram::is_at(const std::string& place) const {
    struct stat there;
    return file.st_ino != 0 && ::stat(place.c_str(), &there) == 0 && same_file(file, there);
}

MULTIPROCESSING_INLINE const KnownProgram& known_program() {
    static const KnownProgram known = KnownProgram::ask();
    return known;
}

MULTIPROCESSING_INLINE std::filesystem::path program_to_spawn() {
    if (!linker_start().program.empty()) return linker_start().program; // spawn() sees to the rest
    const KnownProgram& known = known_program();
    if (known.is_at(known.path)) return known.path;
    // It was moved or replaced since, or another root directory is in force.
    const std::string path = link_target("/proc/self/exe");
    if (known.is_at(path)) return path;
    // By way of /proc it is the very file that runs here, but it shows as "exe" in lists of
    // processes.
    for (const char* link :
         {"/proc/self/exe", "/proc/thread-self/exe"}) { // the second one if the main thread has ended
        struct stat there;
        if (::stat(link, &there) == 0) return link;
    }
    throw_error(
        std::make_error_code(std::errc::no_such_file_or_directory),
        "starting this program anew: /proc/self/exe cannot be read, and " +
            (known.path.empty() ? "the program's file is not known" : known.path + " is not this program") +
            "; mount /proc, call set_executable() with a path that is valid now, or use the start method fork");
}

MULTIPROCESSING_INLINE std::vector<std::string> command_line() {
    if (const std::size_t of_linker = linker_start().words.size()) {
        std::vector<std::string> words = whole_command_line();
        words.erase(words.begin(),
                    words.begin() + static_cast<std::ptrdiff_t>((std::min)(of_linker, words.size())));
        return words;
    }
    std::vector<std::string> arguments;
#if defined(__GLIBC__)
    // As the system left it: also without /proc.
    const char* const* const stack = static_cast<const char* const*>(__libc_stack_end);
    std::intptr_t count;
    std::memcpy(&count, stack, sizeof count);
    for (std::intptr_t i = 1; i <= count && stack[i]; ++i) arguments.emplace_back(stack[i]);
    if (!arguments.empty()) return arguments;
#endif
    return whole_command_line();
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
