#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file kinship.hpp  POSIX twin: the owner of a sealed memfd, AT_SECURE, and what /proc says about
/// the parent.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/executable.hpp>

#include <optional>
#include <string>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Returns whether the memory can only have been made by a process with the ids of this one, or by
/// root. Any file that another user may write to can be passed: sealed memory alone has its maker
/// for its owner.
MULTIPROCESSING_INLINE bool made_with_our_rights(const Handle& memory) noexcept;

/// Returns the lines of a process's status that say its ids.
MULTIPROCESSING_INLINE std::string ids_in(const std::string& status);

/// Returns the build-id of a program file; empty if it has none.
MULTIPROCESSING_INLINE ImageId id_in_file(const std::string& path);

/// Returns whether the parent runs this program: from the same file, by way of something that has
/// mapped it (a dynamic linker that was started by hand, valgrind), or from another copy of the
/// same build. nullopt if it may not be looked at.
MULTIPROCESSING_INLINE std::optional<bool> parent_runs_this_program(const std::string& parent);

/// Returns whether the start of this program gave it rights that the process which started it need
/// not have. Ids that differ from each other may also be inherited, of a parent after seteuid():
/// then the file gives none.
MULTIPROCESSING_INLINE bool has_raised_rights();

MULTIPROCESSING_INLINE std::string stranger(const Handle& memory, bool has_parent);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE bool made_with_our_rights(const Handle& memory) noexcept {
    struct stat status;
    const int seals = ::fcntl(memory.native(), F_GET_SEALS);
    constexpr int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
    if (seals < 0 || (seals & wanted) != wanted || ::fstat(memory.native(), &status) != 0) return false;
    return status.st_uid == 0 || (status.st_uid == ::geteuid() && status.st_gid == ::getegid());
}

MULTIPROCESSING_INLINE std::string ids_in(const std::string& status) {
    std::string ids;
    for (const char* word : {"\nUid:", "\nGid:", "\nGroups:"}) {
        const std::size_t at = status.find(word);
        if (at != std::string::npos) ids += status.substr(at, status.find('\n', at + 1) - at);
    }
    return ids;
}

MULTIPROCESSING_INLINE ImageId id_in_file(const std::string& path) {
    ImageId id;
    const Handle file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status;
    if (!file.valid() || ::fstat(file.native(), &status) != 0) return id;
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < sizeof(ElfW(Ehdr))) return id;
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.native(), 0);
    if (mapped == MAP_FAILED) return id;
    const ScopeExit unmapped{[&] { ::munmap(mapped, size); }};
    const auto* const begin = static_cast<const char*>(mapped);
    ElfW(Ehdr) head;
    std::memcpy(&head, begin, sizeof head);
    if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(ElfW(Phdr))) return id;
    if (head.e_phoff > size || head.e_phnum > (size - head.e_phoff) / sizeof(ElfW(Phdr))) return id;
    std::vector<ElfW(Phdr)> headers(head.e_phnum);
    std::memcpy(headers.data(), begin + head.e_phoff, headers.size() * sizeof headers[0]);
    for (auto& header : headers) {
        if (header.p_offset > size || header.p_filesz > size - header.p_offset) return id;
        header.p_vaddr = header.p_offset; // as if the file were loaded as it lies there
        header.p_memsz = header.p_filesz;
    }
    dl_phdr_info info{};
    info.dlpi_addr = reinterpret_cast<ElfW(Addr)>(begin);
    info.dlpi_phdr = headers.data();
    info.dlpi_phnum = head.e_phnum;
    find_build_id(info, id);
    return id;
}

MULTIPROCESSING_INLINE std::optional<bool> parent_runs_this_program(const std::string& parent) {
    struct stat here;
    struct stat there;
    if (::stat("/proc/self/exe", &here) != 0 || ::stat((parent + "/exe").c_str(), &there) != 0)
        return std::nullopt;
    if (here.st_dev == there.st_dev && here.st_ino == there.st_ino) return true;
    const std::optional<bool> mapped = has_mapped(parent, here);
    if (!mapped || *mapped) return mapped;
    const ImageId id = id_in_file("/proc/self/exe");
    return id != ImageId{} && id_in_file(parent + "/exe") == id;
}

MULTIPROCESSING_INLINE bool has_raised_rights() {
    if (::getauxval(AT_SECURE) == 0) return false;
    const bool ids_differ = ::getuid() != ::geteuid() || ::getgid() != ::getegid();
    struct stat program;
    if (!ids_differ || ::stat("/proc/self/exe", &program) != 0) return true;
    if ((program.st_mode & (S_ISUID | S_ISGID)) != 0) return true;
    char value[1];
    return ::getxattr("/proc/self/exe", "security.capability", value, sizeof value) >= 0 ||
           (errno != ENODATA && errno != ENOTSUP);
}

MULTIPROCESSING_INLINE std::string stranger(const Handle& memory, bool has_parent) {
    const bool raised = has_raised_rights();
    const bool ours = made_with_our_rights(memory);
    if (!has_parent) {
        // Nobody to look at. With file capabilities the maker of the memory has our ids and still
        // not our rights.
        if (ours && (!raised || ::getuid() != ::geteuid() || ::getgid() != ::getegid())) return {};
        return "its memory was made by another user";
    }
    const std::string parent = "/proc/" + std::to_string(::getppid());
    const std::optional<bool> runs_this = parent_runs_this_program(parent);
    if (runs_this && !*runs_this)
        return "its parent, process " + std::to_string(::getppid()) + ", runs " +
               link_target((parent + "/exe").c_str()) +
               ", which is another program or another build of this one";
    if (raised) {
        // Its own child is as privileged as it is, and so is trusted; nobody else can map memory in
        // such a program.
        struct stat status;
        if (runs_this && ours && ::fstat(memory.native(), &status) == 0 &&
            has_mapped(parent, status).value_or(false))
            return {};
        return "it has raised rights (setuid, setgid or file capabilities), and nothing shows that such a "
               "program started "
               "it; the start method fork needs no proof";
    }
    if (ours) return {};
    // The memory is older than the ids that this process has now.
    const std::string ids = ids_in(small_file("/proc/self/status"));
    if (runs_this && !ids.empty() && ids_in(small_file(parent + "/status")) == ids) return {};
    return "its memory was made by another user, and nothing shows that its parent has the rights of this one";
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
