#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file size_classes.hpp  Where blocks of a heap lie in their extents, and of which sizes they
/// are.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

struct HeapLayout {
    // An extent's shape: how many extents the block that begins here has, or `slab` plus a class; 0
    // inside a block.
    static constexpr std::uint32_t slab = 0x8000'0000;
    static constexpr std::array<std::uint32_t, 20> classes{64,   128,  192,  256,   384,   512,  768,
                                                           1024, 1280, 1536, 2048,  2560,  3072, 4096,
                                                           5120, 6528, 8128, 10816, 16256, 32512};
    static constexpr std::uint64_t largest_small = classes.back();

    // A slab is an extent of equal blocks; their state words stand at its beginning. A run of
    // extents is one block.
    static constexpr std::uint64_t blocks_start(std::uint64_t count) { return (count * 4 + 63) / 64 * 64; }
    static constexpr std::uint32_t blocks_in_slab(std::uint32_t size_class) {
        std::uint32_t count = static_cast<std::uint32_t>(Space::extent_bytes / classes[size_class]);
        while (blocks_start(count) + std::uint64_t{count} * classes[size_class] > Space::extent_bytes) --count;
        return count;
    }
    static constexpr std::uint32_t class_of(std::uint64_t bytes) {
        return static_cast<std::uint32_t>(std::lower_bound(classes.begin(), classes.end(), bytes) -
                                          classes.begin());
    }

    /// Lengths of large blocks are rounded up to quarters of a power of two, so that they fit each
    /// other's place.
    static std::uint64_t rounded_length(std::uint64_t extents) {
        const std::uint64_t quarter = std::bit_floor(extents) / 4;
        return quarter ? (extents + quarter - 1) / quarter * quarter : extents;
    }

    static Position block_position(std::uint64_t extent, std::uint32_t size_class, std::uint32_t index) {
        return extent * Space::extent_bytes + blocks_start(blocks_in_slab(size_class)) +
               index * classes[size_class];
    }
    static std::uint32_t block_index(Position block, std::uint32_t size_class) {
        const auto offset = static_cast<std::uint32_t>(block % Space::extent_bytes);
        return (offset - static_cast<std::uint32_t>(blocks_start(blocks_in_slab(size_class)))) /
               classes[size_class];
    }
};

} // namespace multiprocessing::inline v1::detail
