#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file resources.hpp  Contract: how many processors and how much memory there are for this
/// process.
///
/// * `machine_processors()`: logical processors of the machine, at least 1.
/// * `allowed_processors()`: how many this process may keep busy, at least 1: its affinity and, on
///   Linux, the CPU quota of its control groups, rounded up. Files of control groups may be missing
///   or empty.
/// * `quota_processors()`: how many that quota amounts to, at least 1; where there is none, the
///   machine's.
/// * `memory_room()`: bytes that can still be had: of the machine, and of the control group (where
///   there is none, the same as the machine's). Figures of the moment, for error texts and for
///   refusing the impossible.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstdint>

namespace multiprocessing::inline v1::detail::platform {

/// Bytes that can still be had.
struct MemoryRoom {
    std::uint64_t machine;
    std::uint64_t group;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/resources.hpp>
#else
#include <multiprocessing/detail/posix/resources.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires {
    { machine_processors() } -> std::same_as<int>;
    { allowed_processors() } -> std::same_as<int>;
    { quota_processors() } -> std::same_as<int>;
    { memory_room() } -> std::same_as<MemoryRoom>;
});

} // namespace multiprocessing::inline v1::detail::platform
