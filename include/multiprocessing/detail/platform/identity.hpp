#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file identity.hpp  Contract: which process this is, and a place where its images can leave each
/// other a word.
///
/// * `current_pid()`: the operating system's id of this process. Not cached: right after a fork,
///   too.
/// * `program_token()`: a number that this process image keeps for its life, and that a later image
///   with the same pid (after exec, or when the pid is used again) almost surely does not have.
///   Reveals nothing secret.
/// * `word(name)` and `leave_word(name, text)`: what one image of this process left for another (a
///   plugin that carries its own copy of this library). `text` is null-terminated, stays the
///   caller's, must live forever, and may be overwritten in place. POSIX: the environment; a child
///   process inherits the word, so its reader checks pid and token.
/// * `fill_random(bytes)`: at most 256 bytes that nobody can guess. Throws `std::system_error` if
///   there are none.
/// * `fork_witness()`: a new word of memory that reads 0 in every copy that any kind of fork makes
///   of this process, also one that runs no handlers; null where the system has no such memory.
///   Never freed.
/// * `CopiedHandle`: an OS handle as a copy that a fork makes has it; NativeHandle, which is above.
/// * `call_at_fork(before, in_parent, in_child)`: run around every fork() of this process, also the
///   user's own. Nothing where processes are not forked.

#include <multiprocessing/detail/config.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/identity.hpp>
#else
#include <multiprocessing/detail/posix/identity.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const char* name, char* text, std::span<std::byte> bytes, void (*call)()) {
    { current_pid() } noexcept -> std::same_as<int>;
    { program_token() } noexcept -> std::same_as<std::uint64_t>;
    { word(name) } -> std::same_as<std::string>;
    { leave_word(name, text) } -> std::same_as<void>;
    { fill_random(bytes) } -> std::same_as<void>;
    { fork_witness() } noexcept -> std::same_as<std::atomic<std::uint32_t>*>;
    { call_at_fork(call, call, call) } -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
