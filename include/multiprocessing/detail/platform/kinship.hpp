#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file kinship.hpp  Contract: whether a process that was told to be a child was told so by kin.
///
/// A command line makes a child of a program, and the process that starts a program chooses it. The
/// memory that it names holds the function to be run; so a program that has more rights than the
/// process that started it must not believe it.
/// * `stranger(memory, has_parent)`: why the maker of `memory` is not trusted; empty if it is.
///   Asked before the memory is mapped. `has_parent`: whether the process that made it is our
///   parent still.
///
/// POSIX: the memory must have been made with the rights of this process, or by root; else, as ids
/// may have changed since, the parent must run this very program with the same ids. A parent that
/// can be looked at must run this program in any case. In a program with raised rights (setuid,
/// setgid, file capabilities) the parent must also have the very same memory mapped. What the
/// system does not say never speaks for a stranger.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>
#include <string>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/kinship.hpp>
#else
#include <multiprocessing/detail/posix/kinship.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const Handle& memory, bool has_parent) {
    { stranger(memory, has_parent) } -> std::same_as<std::string>;
});

} // namespace multiprocessing::inline v1::detail::platform
