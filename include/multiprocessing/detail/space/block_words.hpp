#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file block_words.hpp  What the Space itself says about a block of a heap: its owner, its size
/// and its state.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/size_classes.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace multiprocessing::inline v1::detail {

/// The words of blocks, which any process of the tree may read. All else that is known about a
/// block stands in its owner's private memory (see Heap).
class BlockWords {
public:
    /// What a state word says. Any process that has the block may store `returned`; everything else
    /// is the owner's to store.
    enum State : std::uint32_t { unused, used, handed, returned };

    explicit BlockWords(Space& space) noexcept : space_(space) {}

    /// Returns the state word of a block in a slab.
    std::atomic<std::uint32_t>& state_in_slab(std::uint64_t extent, std::uint32_t index) const {
        return space_.at<std::atomic<std::uint32_t>>(extent * Space::extent_bytes + index * 4);
    }

    /// Returns the state word of a block, which lies in its slab, or in the extent where the block
    /// begins.
    std::atomic<std::uint32_t>& state_of(Position block) const {
        const std::uint64_t index = block / Space::extent_bytes;
        Extent& extent = space_.extent(index);
        const std::uint32_t shape = extent.shape.load(std::memory_order_relaxed);
        return shape & HeapLayout::slab
                   ? state_in_slab(index, HeapLayout::block_index(block, shape & ~HeapLayout::slab))
                   : extent.state;
    }

    /// Returns the process whose heap has the block.
    Incarnation owner_of(Position block) const noexcept {
        return space_.extent(block / Space::extent_bytes).owner.load(std::memory_order_acquire);
    }

    /// Returns the bytes that a block in use has.
    std::uint64_t room_of(Position block) const noexcept {
        const std::uint32_t shape =
            space_.extent(block / Space::extent_bytes).shape.load(std::memory_order_acquire);
        return shape & HeapLayout::slab ? HeapLayout::classes[shape & ~HeapLayout::slab]
                                        : shape * Space::extent_bytes;
    }

    /// Returns the memory of a block in a slab.
    std::span<std::byte> bytes_of(Position block, std::uint32_t size_class) const {
        return {&space_.at<std::byte>(block), HeapLayout::classes[size_class]};
    }

    /// Gives a block back to the process that owns it, which collects it later.
    void return_to_owner(Position block) const noexcept {
        Extent& extent = space_.extent(block / Space::extent_bytes);
        // Sequentially consistent, with the load of the owner below: either the process that adopts
        // this extent just now sees the block returned, or we see that the extent is its own and
        // tell it. Killed between these steps: the block is found before the owner next takes fresh
        // memory.
        state_of(block).store(returned, std::memory_order_seq_cst);
        extent.dirty.store(1, std::memory_order_seq_cst);
        space_.notify(extent.owner.load(std::memory_order_seq_cst));
    }

private:
    Space& space_;
};

} // namespace multiprocessing::inline v1::detail
