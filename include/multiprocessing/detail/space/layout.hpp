#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file layout.hpp  What lies where in the shared memory of a process tree: header, notes, tables,
/// extents.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/janitor_notes.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// An offset in the Space: the same in every process that maps it. 0 is none.
using Position = std::uint64_t;

/// Names a process in its tree; never used again, and never 0.
using Incarnation = std::uint32_t;

/// What is known of an extent. All of it is written by the owner alone, but for `state` and
/// `dirty`.
struct Extent {
    std::atomic<Incarnation> owner;   ///< Taken by compare-and-swap from 0, given back by a store of 0.
    std::atomic<std::uint32_t> shape; ///< See heap.hpp; 0 while the owner has not said.
    std::atomic<std::uint32_t> state; ///< Of the block, where the extent begins a block of several extents.
    std::atomic<std::uint32_t> dirty; ///< Another process gave back a block of it.
};

/// The first page of the Space.
struct SpaceHeader {
    static constexpr std::uint64_t expected_magic = 0x6D70'7370'6163'6531;
    static constexpr std::size_t mailboxes = 256;

    std::uint64_t magic;
    std::uint32_t abi;
    std::uint64_t bytes;
    std::uint64_t extents;
    platform::ParkingKey key;
    platform::IdOrigin ids; ///< Of the process that made it: there the names of threads in it count.
    std::uint64_t first_extent;
    std::atomic<Incarnation> last_incarnation;
    /// Extents from here on were never taken. Read at each access, so it has a cache line of its
    /// own.
    alignas(64) std::atomic<std::uint64_t> high_water;
    // Where to look for free extents; hints, which a kill may leave behind the truth.
    alignas(64) std::atomic<std::uint64_t> rover; ///< The search goes on here.
    std::atomic<std::uint64_t> given_back;        ///< Counts extents.
    std::atomic<std::uint64_t> searched_at; ///< What had been given back at the last search that was in vain.
    /// Counts what was given back to the processes whose incarnation falls on each, as a hint to
    /// look.
    std::atomic<std::uint32_t> returned[mailboxes];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(SpaceHeader) <= 4096 && sizeof(Extent) == 16);

/// Where in the memory object the tables lie, which come before the extents.
struct SpaceLayout {
    static constexpr std::uint64_t extent_bytes = 65'536;
    static constexpr std::uint64_t lineage_size = 1 << 18; // name and parent's name of each process, by name

    explicit SpaceLayout(std::uint64_t bytes) : extents(bytes / extent_bytes) {
        const std::uint64_t end = extents_start + extents * sizeof(Extent);
        first_extent = (end + extent_bytes - 1) / extent_bytes;
    }

    static constexpr std::uint64_t notes_start = 4096;
    static constexpr std::uint64_t lineage_start = (notes_start + sizeof(NamedNotes) + 63) / 64 * 64;
    static constexpr std::uint64_t extents_start = lineage_start + lineage_size * sizeof(std::uint64_t);

    /// Returns the bytes of the tables if they tell of the first `count` extents.
    static std::uint64_t bytes_for(std::uint64_t count) {
        const std::uint64_t end = extents_start + count * sizeof(Extent);
        return (end + extent_bytes - 1) / extent_bytes * extent_bytes;
    }

    std::uint64_t extents;
    std::uint64_t first_extent;
};

} // namespace multiprocessing::inline v1::detail
