#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file large_blocks.hpp  The large blocks of a heap: runs of whole extents, in use or kept warm.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/block_words.hpp>
#include <multiprocessing/detail/space/heap_records.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace multiprocessing::inline v1::detail {

/// The runs of one heap. It owns those that are kept warm; those in use are the heap's, which takes
/// the extents of a fresh one. The heap's mutex guards it.
class LargeBlocks {
public:
    explicit LargeBlocks(Space& space) noexcept : space_(space) {}
    LargeBlocks(const LargeBlocks&) = delete;
    LargeBlocks& operator=(const LargeBlocks&) = delete;
    /// Forgets the warm runs; their extents stay this process's.
    ~LargeBlocks() {
        while (Run* const run = warm_.oldest()) {
            warm_.remove(*run);
            delete run;
        }
    }

    /// Returns the bytes of the blocks in use.
    std::uint64_t live() const noexcept { return live_; }
    /// Returns the bytes that are kept warm.
    std::uint64_t warm() const noexcept { return warm_.extents() * Space::extent_bytes; }

    /// Returns a warm run with room for `length` extents, or null.
    std::unique_ptr<Run> take_warm(std::uint64_t length) noexcept {
        Run* const run = warm_.find(length);
        if (run) warm_.remove(*run);
        return std::unique_ptr<Run>(run);
    }

    /// Returns whether the extents of a fresh run are as the system gave them, which is zero.
    bool is_untouched(const Run& run) const noexcept {
        for (std::uint64_t i = 0; i < run.length; ++i) {
            if (space_.extent(run.first + i).state.load(std::memory_order_relaxed) != 0) return false;
        }
        return true;
    }

    /// Makes the run a block in use.
    void begin_use(const Run& run) noexcept {
        Extent& extent = space_.extent(run.first);
        extent.state.store(BlockWords::used, std::memory_order_relaxed);
        extent.shape.store(run.length, std::memory_order_release);
        live_ += run.length * Space::extent_bytes;
    }

    /// Takes over the run of a dead process, whose extents are this heap's now. Returns false if it
    /// was not handed over, so that its extents are to be given back.
    [[nodiscard]] bool adopt(const Run& run) noexcept {
        if (space_.extent(run.first).state.load(std::memory_order_seq_cst) != BlockWords::handed) return false;
        live_ += run.length * Space::extent_bytes;
        return true;
    }

    /// Returns whether another process has given the block back.
    bool was_returned(const Run& run) const noexcept {
        return space_.extent(run.first).state.load(std::memory_order_acquire) == BlockWords::returned;
    }

    /// Frees the block; the run is kept warm, and is this object's from here on.
    void free(Run& run) noexcept {
        space_.extent(run.first).state.store(BlockWords::unused, std::memory_order_relaxed);
        live_ -= run.length * Space::extent_bytes;
        warm_.add(run);
    }

    /// Gives the extents of the oldest warm run back to the Space. Returns false if there is none.
    bool give_back_oldest() noexcept {
        Run* const run = warm_.oldest();
        if (!run) return false;
        warm_.remove(*run);
        space_.free_extents(run->first, run->length);
        delete run;
        return true;
    }

private:
    Space& space_;
    WarmRuns warm_;
    std::uint64_t live_ = 0;
};

} // namespace multiprocessing::inline v1::detail
