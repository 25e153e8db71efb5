#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file inventory.hpp  What this process has open, running and named just now, as sorted lines of text.

#include <string>
#include <vector>

namespace support {

/// Descriptors, threads, children and shared-memory names; Windows: children, and
/// handles of processes, jobs, sections and files.
std::vector<std::string> inventory();

/// Ids of the direct children of this process, zombies included.
std::vector<int> children();

} // namespace support
