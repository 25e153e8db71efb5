#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file poison.hpp  In the checked build of the tests, free memory bears a pattern, and nobody may
/// have written to it.
///
/// No sanitizer sees that: the writer may be another process.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace multiprocessing::inline v1::detail {

inline constexpr std::byte poison_pattern{0xDD};

inline void poison(std::span<std::byte> block) noexcept {
    std::fill(block.begin(), block.end(), poison_pattern);
}

/// Ends the process if the block is not as poison() left it.
inline void check_untouched(std::span<const std::byte> block) noexcept {
    if (std::all_of(block.begin(), block.end(), [](std::byte byte) { return byte == poison_pattern; })) return;
    std::fprintf(stderr, "multiprocessing: a block of %zu bytes was written to after it was freed\n",
                 block.size());
    std::abort();
}

} // namespace multiprocessing::inline v1::detail
