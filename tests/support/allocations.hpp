#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file allocations.hpp  How much memory was asked for, granted or not: a forged length shows itself there.

#include <cstddef>

namespace support {

/// Bytes that this thread asked `operator new` for so far; always 0 under AddressSanitizer, which has its own.
std::size_t allocated_bytes();

} // namespace support
