#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread.hpp  Contract: a name for this thread that other processes can ask about.
///
/// * `ThreadName`: 63 bits, never 0. The system's id of the thread, the id space in which the id
///   counts and, as ids are used again, when the thread began. It means the same in all processes
///   of the machine that are in the same id space.
/// * `name_of_this_thread()`: asks the system (POSIX: 10 us, by /proc). Where the system does not
///   say when the thread began (no descriptor is left, no /proc) the name is not complete. Another
///   in a forked child.
/// * `is_complete(name)`: whether the name says when the thread began. The same thread may have a
///   complete name later.
/// * `lives(name)`: whether that thread still runs; false once it has ended, or its process was
///   killed, reaped or not. Whatever the system does not say counts as true: an incomplete name is
///   compared by its id alone, and in another id space than this process's every thread lives. Asks
///   the system.
/// * `IdSpace`: 0 is not known. POSIX: a pid namespace together with a time namespace.
///   `id_space()`: the one in which this process's names count, as far as the system says;
///   `are_apart(a, b)`: whether a and b are known, and differ.
/// * `IdOrigin begin_id_space()`: of the first process of a tree; `space` is never 0. Each process
///   of the tree calls `join_id_space(origin)`. POSIX: so one in a pid namespace of its own goes on
///   with the ids of the tree, if it sees the /proc of the tree.
/// * `children_share_ids()`: whether a copy that this process makes of itself counts by the same
///   ids as it, for certain. Such a copy may call `keep_id_space()` in place of `join_id_space()`:
///   that asks the system nothing.
/// * `is_of_this_process(name)`: whether it is, or may be, one of this process's threads. Asks the
///   system.
/// * `is_main_thread()`: whether the calling thread is the first of this process (Windows: the
///   first that used a lock).
/// * `name_this_thread(text)`: what debuggers and top call it; Linux: its first 15 bytes. Windows:
///   nothing.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstdint>
#include <string>

namespace multiprocessing::inline v1::detail::platform {

using ThreadName = std::uint64_t;
using IdSpace = std::uint32_t;

/// Where the ids of a tree come from. Lies in the Space.
struct IdOrigin {
    IdSpace space;
    std::uint32_t proc_ids;    ///< POSIX: a hash of the pid namespace
    std::uint64_t proc_device; ///< whose /proc this is; 0: none.
};

/// A bit that no name has set: free for the use of a word that keeps a name.
inline constexpr ThreadName spare_bit_of_thread_name = ThreadName{1} << 63;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/thread.hpp>
#else
#include <multiprocessing/detail/posix/thread.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(ThreadName name, IdSpace space, const std::string& text) {
    { name_this_thread(text) } -> std::same_as<void>;
    { name_of_this_thread() } noexcept -> std::same_as<ThreadName>;
    { is_complete(name) } noexcept -> std::same_as<bool>;
    { lives(name) } noexcept -> std::same_as<bool>;
    { is_of_this_process(name) } noexcept -> std::same_as<bool>;
    { is_main_thread() } noexcept -> std::same_as<bool>;
    { id_space() } noexcept -> std::same_as<IdSpace>;
    { begin_id_space() } noexcept -> std::same_as<IdOrigin>;
    { join_id_space(begin_id_space()) } noexcept -> std::same_as<void>;
    { children_share_ids() } noexcept -> std::same_as<bool>;
    { keep_id_space() } noexcept -> std::same_as<void>;
    { are_apart(space, space) } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
