#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file memory_check.hpp  Whether there is memory for what is wanted, and what is said when there
/// is none.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <cstdint>
#include <string>
#include <system_error>

namespace multiprocessing::inline v1::detail {

/// Refuses with the figures what the machine or the control group cannot give: memory is taken when
/// it is touched, and nobody could be told then. Reads files: for large pieces only.
inline void require_memory(std::uint64_t bytes) {
    const platform::MemoryRoom room = platform::memory_room();
    if (bytes <= room.machine && bytes <= room.group) return;
    throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                            "multiprocessing: " + std::to_string(bytes) +
                                " bytes of shared memory are wanted, but " + std::to_string(room.machine) +
                                " are available on this machine and " + std::to_string(room.group) +
                                " in its control group");
}

[[noreturn]] inline void throw_space_full(const Space& space, std::uint64_t bytes) {
    throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                            "multiprocessing: " + std::to_string(bytes) +
                                " bytes of shared memory are wanted, but " + std::to_string(space.bytes()) +
                                " were reserved in all, and no run of that size is left");
}

} // namespace multiprocessing::inline v1::detail
