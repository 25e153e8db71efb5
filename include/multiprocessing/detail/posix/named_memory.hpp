#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file named_memory.hpp  POSIX twin: files in /dev/shm, as shm_open makes them, which is what
/// CPython uses.
///
/// Boost's shared_memory_object calls the same function; called here, it leaves errno to us and a
/// descriptor that a forked child closes.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr char named_memory_prefix[] = "psm_";

[[noreturn]] MULTIPROCESSING_INLINE void throw_bad_memory_name(const std::string& name);

/// Takes the memory of the pages now: else the first touch that finds none left is a SIGBUS.
MULTIPROCESSING_INLINE void reserve_named_memory(const std::string& name, const Handle& handle,
                                                 std::uint64_t bytes);

MULTIPROCESSING_INLINE void unlink_named_memory(const std::string& name);

/// Makes it without a name, which it is given last: so nobody finds it half made, and nothing has a
/// name that `made()` has not heard of. nullopt if that does not work here.
template <class Made>
std::optional<MemoryObject> make_named_memory_in_advance(const std::string& name, std::uint64_t bytes,
                                                         Made made) {
    // shm_open() has the words for others.
    if (name.empty() || name.size() > 254 || name.find('/') != std::string::npos) return std::nullopt;
    const std::string path = "/dev/shm/" + name;
    struct stat there;
    if (::lstat(path.c_str(), &there) == 0) throw_memory_exists(name); // before anything is reserved
    Handle handle{::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (!handle.valid()) return std::nullopt;
    const std::string nameless = "/proc/self/fd/" + std::to_string(handle.native());
    if (::access(nameless.c_str(), F_OK) != 0) return std::nullopt; // without /proc it cannot be named
    MemoryObject object{std::move(handle)};
    made(object);
    reserve_named_memory(name, object.handle(), bytes);
    if (::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        if (errno == EEXIST) throw_memory_exists(name);
        throw_bad_memory_name(name);
    }
    ScopeExit unlinked{[&] { ::unlink(path.c_str()); }};
    // Opened again, for a reader of /proc/PID/maps: what is mapped bears its name there, and not
    // "(deleted)".
    MemoryObject named{Handle{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)}};
    if (identity_of(named) == identity_of(object)) object = std::move(named);
    unlinked.release();
    return object;
}

template <class Made>
MemoryObject make_named_memory(const std::string& name, std::uint64_t bytes, Made made) {
    rlimit largest;
    if (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && bytes > largest.rlim_cur) {
        // Asking all the same would end the program by SIGXFSZ.
        throw_error(std::make_error_code(std::errc::file_too_large),
                    quoted_memory(name) + " of " + std::to_string(bytes) + " bytes is beyond `ulimit -f`");
    }
    if (std::optional<MemoryObject> object = make_named_memory_in_advance(name, bytes, made))
        return std::move(*object);
    Handle handle{::shm_open(("/" + name).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600)};
    if (!handle.valid()) {
        if (errno == EEXIST) throw_memory_exists(name);
        throw_bad_memory_name(name);
    }
    // Killed here: it stays.
    ScopeExit unlinked{[&] { ::shm_unlink(("/" + name).c_str()); }};
    MemoryObject object{std::move(handle)};
    made(object);
    reserve_named_memory(name, object.handle(), bytes);
    unlinked.release();
    return object;
}

MULTIPROCESSING_INLINE MemoryObject open_named_memory(const std::string& name);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void throw_bad_memory_name(const std::string& name) {
    const std::error_code error = last_error();
    std::string remedy;
    if (error == std::errc::invalid_argument || error == std::errc::filename_too_long)
        remedy = ": a name has no slash inside, is not empty, and no longer than 254 bytes";
    if (error == std::errc::permission_denied) remedy = ": it belongs to another user (mode 0600)";
    throw_error(error, "opening " + quoted_memory(name) + remedy);
}

MULTIPROCESSING_INLINE void reserve_named_memory(const std::string& name, const Handle& handle,
                                                 std::uint64_t bytes) {
    // Asked before: a control group that is over its limit would be answered by its killer. And the
    // figures in the error are of before our own attempt, which takes all that there is.
    const MemoryRoom room = memory_room();
    struct statvfs directory;
    const bool limited = ::fstatvfs(handle.native(), &directory) == 0 && directory.f_blocks != 0;
    const std::uint64_t free_before = limited ? std::uint64_t{directory.f_bavail} * directory.f_frsize : 0;
    const auto refuse = [&] {
        throw_no_memory_for(name, bytes, room,
                            limited ? ", " + std::to_string(free_before) +
                                          " in /dev/shm (a container's can be made larger: --shm-size)"
                                    : "");
    };
    if (bytes > room.machine || bytes > room.group) refuse();
    if (::ftruncate(handle.native(), static_cast<off_t>(bytes)) != 0)
        throw_last_error("sizing " + quoted_memory(name));
    // By pieces: a signal undoes the whole of a call, and one that comes regularly would forever.
    constexpr std::uint64_t piece = 1 << 20;
    for (std::uint64_t done = 0; done < bytes;) {
        const std::uint64_t now = (std::min)(piece, bytes - done);
        const int error = ::posix_fallocate(handle.native(), static_cast<off_t>(done), static_cast<off_t>(now));
        if (error == ENOSPC || error == ENOMEM) refuse();
        if (error != 0 && error != EINTR) {
            throw_error({error, std::generic_category()},
                        "reserving " + std::to_string(bytes) + " bytes for " + quoted_memory(name));
        }
        if (error == 0) done += now;
    }
}

MULTIPROCESSING_INLINE void unlink_named_memory(const std::string& name) {
    if (::shm_unlink(("/" + name).c_str()) == 0) return;
    if (errno == ENOENT) throw_no_such_memory(name);
    throw_bad_memory_name(name);
}

MULTIPROCESSING_INLINE MemoryObject open_named_memory(const std::string& name) {
    Handle handle{::shm_open(("/" + name).c_str(), O_RDWR, 0)};
    if (!handle.valid()) {
        if (errno == ENOENT) throw_no_such_memory(name);
        throw_bad_memory_name(name);
    }
    struct stat status;
    if (::fstat(handle.native(), &status) != 0) throw_last_error("looking at " + quoted_memory(name));
    if (status.st_size == 0) {
        throw_error(std::make_error_code(std::errc::invalid_argument),
                    quoted_memory(name) +
                        " is empty: its maker has not given it a size yet; attach again when it has");
    }
    return MemoryObject{std::move(handle)};
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
