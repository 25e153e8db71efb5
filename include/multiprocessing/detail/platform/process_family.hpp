#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_family.hpp  Contract: what a process has started, and ending that with it.
///
/// * `children_of(pid)`: the processes that it has started and that live; none where the system
///   does not say. Not those whose parent ended before them.
/// * `Descendants(pid)`: its children, theirs, and so on, as they are now, held so that no other
///   process is taken for one of them. `kill()` ends all of them; what has ended meanwhile does not
///   matter. Those that have left the family are not among them: whose parent has ended, and, with
///   what they have started, those that lead a session of their own (POSIX: daemons).
/// * `end_descendants()`: ends those of this process. May be called in the handler of a crash.
/// * `end_what_is_left_of(pid)`: ends what a process has started that has ended, and of which a
///   handle is held still. Nothing where the system forgets a parent that has ended (POSIX).

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <vector>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process_family.hpp>
#else
#include <multiprocessing/detail/posix/process_family.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(int pid, Descendants& descendants) {
    { children_of(pid) } -> std::same_as<std::vector<int>>;
    Descendants(pid);
    { descendants.kill() } noexcept -> std::same_as<void>;
    { end_descendants() } noexcept -> std::same_as<void>;
    { end_what_is_left_of(pid) } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
