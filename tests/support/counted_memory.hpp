#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file counted_memory.hpp  Whether limits of memory can be tested here.

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/process_memory.hpp>

#include <cstddef>
#include <string>

namespace support {

/// Whether the system counts what a process touches. (Not every Wine does.)
inline bool counts_memory() {
    namespace platform = multiprocessing::detail::platform;
    const int self = platform::current_pid();
    const auto before = platform::estimate_memory(self);
    const std::string memory(std::size_t{32} << 20, 'x');
    const auto after = platform::estimate_memory(self);
    return before && after && *after >= *before + memory.size() / 2 && memory[7] == 'x';
}

} // namespace support
