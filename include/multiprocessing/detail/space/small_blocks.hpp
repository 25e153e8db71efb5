#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file small_blocks.hpp  The small blocks of a heap: slabs of equal blocks, and which of them are
/// free.

#include <multiprocessing/detail/base/poison.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/block_words.hpp>
#include <multiprocessing/detail/space/heap_records.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/size_classes.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

namespace multiprocessing::inline v1::detail {

/// The slabs of one heap. It does not own them, nor their extents: the heap does, which takes an
/// extent before add() or adopt(), and gives it back when free() says so. The heap's mutex guards
/// it.
class SmallBlocks {
public:
    explicit SmallBlocks(Space& space) noexcept : space_(space), words_(space) {}

    /// Returns the bytes of the blocks in use.
    std::uint64_t live() const noexcept { return live_; }

    bool has_free(std::uint32_t size_class) const noexcept { return with_free_[size_class].front() != nullptr; }

    /// Allocates a block of a class that has_free().
    Position allocate(std::uint32_t size_class) {
        Slab& slab = *with_free_[size_class].front();
        const std::uint32_t index = slab.free[--slab.free_count];
        if (slab.free_count == 0) with_free_[size_class].remove(slab);
        words_.state_in_slab(slab.extent, index).store(BlockWords::used, std::memory_order_relaxed);
        const Position block = HeapLayout::block_position(slab.extent, size_class, index);
        if constexpr (checked_build) check_untouched(words_.bytes_of(block, size_class));
        if (slab.live++ == 0) --empty_slabs_[size_class];
        live_ += HeapLayout::classes[size_class];
        return block;
    }

    /// Frees a block of `slab`. Returns whether that was the last one in use and the slab is not
    /// worth keeping: then nothing here refers to it any more.
    [[nodiscard]] bool free(Slab& slab, std::uint32_t index) noexcept {
        words_.state_in_slab(slab.extent, index).store(BlockWords::unused, std::memory_order_relaxed);
        add_free(slab, index);
        live_ -= HeapLayout::classes[slab.size_class];
        // One or two empty slabs of a class are kept against thrashing.
        if (--slab.live > 0 || ++empty_slabs_[slab.size_class] <= 2) return false;
        --empty_slabs_[slab.size_class];
        with_free_[slab.size_class].remove(slab);
        return true;
    }

    /// Makes a slab of the fresh extent `slab.extent`.
    void add(Slab& slab) noexcept {
        const std::uint32_t count = HeapLayout::blocks_in_slab(slab.size_class);
        // States before the shape: killed here, the sweep finds an extent without a shape and frees
        // it as it is.
        std::memset(static_cast<void*>(&words_.state_in_slab(slab.extent, 0)), 0, count * 4);
        space_.extent(slab.extent).shape.store(HeapLayout::slab | slab.size_class, std::memory_order_release);
        for (std::uint32_t i = count; i-- > 0;) add_free(slab, i);
        ++empty_slabs_[slab.size_class];
    }

    /// Takes over a slab of a dead process, whose extent is this heap's now: keeps the blocks that
    /// were handed over, and frees the others. Returns false if none is worth keeping: then nothing
    /// here refers to the slab.
    [[nodiscard]] bool adopt(Slab& slab) noexcept {
        std::uint32_t live = 0;
        for (std::uint32_t i = HeapLayout::blocks_in_slab(slab.size_class); i-- > 0;) {
            std::atomic<std::uint32_t>& state = words_.state_in_slab(slab.extent, i);
            const std::uint32_t now = state.load(std::memory_order_seq_cst);
            // A block that is being returned right now counts as in use, and is collected like any
            // other.
            if (now == BlockWords::handed || now == BlockWords::returned) {
                ++live;
            } else {
                state.store(BlockWords::unused, std::memory_order_relaxed);
                add_free(slab, i);
            }
        }
        if (live == 0) {
            with_free_[slab.size_class].remove(slab);
            return false;
        }
        slab.live = live;
        live_ += std::uint64_t{live} * HeapLayout::classes[slab.size_class];
        return true;
    }

private:
    void add_free(Slab& slab, std::uint32_t index) noexcept {
        if constexpr (checked_build) {
            poison(words_.bytes_of(HeapLayout::block_position(slab.extent, slab.size_class, index),
                                   slab.size_class));
        }
        if (slab.free_count == 0) with_free_[slab.size_class].push_front(slab);
        slab.free[slab.free_count++] = static_cast<std::uint16_t>(index);
    }

    Space& space_;
    const BlockWords words_;
    std::array<RecordList<Slab, &Slab::with_free>, HeapLayout::classes.size()> with_free_;
    std::array<std::uint32_t, HeapLayout::classes.size()> empty_slabs_{};
    std::uint64_t live_ = 0;
};

} // namespace multiprocessing::inline v1::detail
