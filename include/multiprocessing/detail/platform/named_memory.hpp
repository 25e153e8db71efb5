#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file named_memory.hpp  Contract: memory with a name, by which strangers find it too: those of
/// CPython and any others.
///
/// * `named_memory_prefix`: what automatic names begin with, as CPython's do on this system.
/// * `make_named_memory(name, bytes, made)`: makes it, all zero and for this user alone, with
///   nothing in it but the bytes asked for. They are had when it returns: no later touch fails.
///   Calls `made(object)` before it has its name, so before there is anything that would stay if
///   this process were killed. (Linux without /proc: just after.)
/// * `open_named_memory(name)`: finds it.
/// * `unlink_named_memory(name)`: takes the name away; processes that have the memory mapped keep
///   it. Windows: does nothing, name and memory go with the last handle or mapping there.
///
/// `mapped_region` maps what the two return, whole where it is told no size; the object is not
/// needed any more then. Linux: that is exactly the bytes asked for; Windows: whole pages. All
/// throw `std::system_error` that names the memory: `std::errc::file_exists`,
/// `no_such_file_or_directory`, `not_enough_memory` (with what was asked for and what is left), or
/// what the system says of the name.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/resources.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

/// Returns what error texts call a named memory.
inline std::string quoted_memory(const std::string& name) { return "shared memory '" + name + "'"; }

[[noreturn]] inline void throw_memory_exists(const std::string& name) {
    throw_error(std::make_error_code(std::errc::file_exists),
                quoted_memory(name) +
                    " exists already: attach to it without .create, unlink() it first, or take "
                    "another name (none: one is made)");
}

[[noreturn]] inline void throw_no_such_memory(const std::string& name) {
    throw_error(std::make_error_code(std::errc::no_such_file_or_directory),
                quoted_memory(name) +
                    " does not exist: it was unlinked, or not made yet (.create = true makes it)");
}

/// `where` says what is left there: ", 7 bytes in /dev/shm".
[[noreturn]] inline void throw_no_memory_for(const std::string& name, std::uint64_t bytes,
                                             const MemoryRoom& room, const std::string& where = {}) {
    throw_error(std::make_error_code(std::errc::not_enough_memory),
                quoted_memory(name) + " of " + std::to_string(bytes) + " bytes is wanted, but " +
                    std::to_string(room.machine) + " bytes are available on this machine, " +
                    std::to_string(room.group) + " in its control group" + where);
}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/named_memory.hpp>
#else
#include <multiprocessing/detail/posix/named_memory.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const std::string& name, std::uint64_t bytes) {
    std::string(named_memory_prefix);
    {
        make_named_memory(name, bytes, [](const MemoryObject&) {})
    } -> std::same_as<MemoryObject>;
    { open_named_memory(name) } -> std::same_as<MemoryObject>;
    { unlink_named_memory(name) } -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
