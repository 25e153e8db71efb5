#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file heap.hpp  Blocks of the Space for one process, recorded in its private memory and reused warm.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/heap_layout.hpp>
#include <multiprocessing/detail/number_table.hpp>
#include <multiprocessing/detail/poison.hpp>
#include <multiprocessing/detail/room.hpp>
#include <multiprocessing/detail/space.hpp>
#include <multiprocessing/detail/take_if.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The heap of one process in the Space.
///
/// It allocates only in extents that it owns, and what of them is in use stands in private memory: other processes,
/// dying or gone wild, cannot damage it. A block may be given back by any process of the tree: one that is not
/// its owner stores a word, and the owner collects it when it next allocates. When a process has died and all
/// its descendants are gone, its parent adopts what it had committed and frees the rest.
///
/// Fresh pages cost a hundred times their copy, so freed memory is kept, within what was recently in use.
class Heap {
public:
    /// `touched`, if any, is set to 1 before the first memory is taken: a process that never did leaves nothing to adopt.
    Heap(Space& space, Incarnation self, std::atomic<std::uint32_t>* touched = nullptr)
        : space_(space), self_(self), touched_(touched) {}
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    /// A block of at least `bytes`, aligned to 64; its content is arbitrary. Throws `std::system_error` with
    /// `not_enough_memory` and the figures if there is no room for it.
    Position allocate(std::uint64_t bytes) {
        std::lock_guard lock{mutex_};
        collect_if_notified();
        const Position block = bytes <= Layout::largest_small ? allocate_small(bytes) : allocate_large(bytes);
        peak_ = (std::max)(peak_, live_);
        return block;
    }

    /// As allocate(), and all zero.
    Position allocate_zeroed(std::uint64_t bytes) {
        const Position block = allocate(bytes);
        std::memset(&space_.at<std::byte>(block), 0, static_cast<std::size_t>(bytes));
        return block;
    }

    /// From now on the block survives this process: it belongs to the parent, which is told its position next.
    /// Killed between: the parent finds the position in the record of what this process was about (worker_line.hpp).
    void hand_over(Position block) noexcept { state_of(block).store(handed, std::memory_order_release); }

    /// Whether it lies in memory that bears this process's name, and so will be kept when it is handed over.
    bool is_own(Position block) const noexcept {
        return space_.extent(block / Space::extent_bytes).owner.load(std::memory_order_acquire) == self_;
    }
    /// The bytes that a block in use has, whichever process allocated it.
    std::uint64_t room_of(Position block) const noexcept {
        const std::uint32_t shape =
            space_.extent(block / Space::extent_bytes).shape.load(std::memory_order_acquire);
        return shape & Layout::slab ? Layout::classes[shape & ~Layout::slab] : shape * Space::extent_bytes;
    }

    /// Gives a block back, whichever process allocated it.
    void free(Position block) {
        const Extent& extent = space_.extent(block / Space::extent_bytes);
        if (extent.owner.load(std::memory_order_acquire) != self_) return free_remote(block);
        std::lock_guard lock{mutex_};
        free_own(block);
        trim_to((std::max)(peak_, least_kept));
    }

    /// Takes over the memory of a child that has died and whose descendants are all gone: blocks that it handed over
    /// go on living as this heap's; everything else of it and all of theirs is freed.
    void adopt(Incarnation dead) {
        std::lock_guard lock{mutex_};
        const std::uint64_t end = space_.high_water();
        for (std::uint64_t i = space_.first_extent(); i < end;) {
            const Incarnation owner = space_.extent(i).owner.load(std::memory_order_acquire);
            if (owner == dead) {
                i += adopt_extent(i, end, dead);
            } else {
                if (owner != 0 && owner != self_ && space_.descends_from(owner, dead)) space_.give_back(i, 1);
                ++i;
            }
        }
        collect(); // blocks that were given back while their extent still bore the dead one's name
    }

    /// Frees a block that adopt() has kept because its owner was about to hand it over, but did not live to say so.
    void free_adopted(Position block) {
        std::lock_guard lock{mutex_};
        if (owns(block) && state_of(block).load(std::memory_order_acquire) == handed) free_own(block);
    }

    /// Frees what is kept warm beyond `bytes`.
    void trim(std::uint64_t bytes = 0) {
        std::lock_guard lock{mutex_};
        collect();
        peak_ = live_;
        trim_to(live_ + bytes);
    }

    /// Bytes in use, and bytes kept warm. (What others gave back counts as in use until it is collected.)
    std::uint64_t live() const {
        std::lock_guard lock{mutex_};
        return live_;
    }
    std::uint64_t warm() const {
        std::lock_guard lock{mutex_};
        return warm_bytes_;
    }

private:
    using Layout = HeapLayout;

    // A block's state word. Whoever has a block may store `returned`; all else is the owner's.
    enum BlockState : std::uint32_t { unused, used, handed, returned };

    static constexpr std::uint64_t least_kept = std::uint64_t{16} << 20;
    static constexpr std::uint64_t checked_size = std::uint64_t{1} << 20;

    struct Run {
        std::uint64_t first;
        std::uint32_t length;
    };

    std::atomic<std::uint32_t>& block_state(std::uint64_t extent, std::uint32_t index) const {
        return space_.at<std::atomic<std::uint32_t>>(extent * Space::extent_bytes + index * 4);
    }
    std::atomic<std::uint32_t>& state_of(Position block) const {
        const std::uint64_t index = block / Space::extent_bytes;
        Extent& extent = space_.extent(index);
        const std::uint32_t shape = extent.shape.load(std::memory_order_relaxed);
        return shape & Layout::slab ? block_state(index, Layout::block_index(block, shape & ~Layout::slab))
                                    : extent.state;
    }

    // ---- small blocks ----

    Position allocate_small(std::uint64_t bytes) {
        const std::uint32_t size_class = Layout::class_of(bytes);
        if (free_[size_class].empty()) add_slab(size_class);
        const Position block = free_[size_class].back();
        free_[size_class].pop_back();
        const std::uint64_t extent = block / Space::extent_bytes;
        block_state(extent, Layout::block_index(block, size_class)).store(used, std::memory_order_relaxed);
        if constexpr (checked_build) check_untouched(block_bytes(block, size_class));
        OwnedExtent& owner = *owned_.find(extent);
        if (owner.live++ == 0) --empty_slabs_[size_class];
        live_ += Layout::classes[size_class];
        return block;
    }

    void add_slab(std::uint32_t size_class) {
        const std::uint64_t extent = take_fresh(1);
        const std::uint32_t count = Layout::blocks_in_slab(size_class);
        // States before the shape: killed here, the sweep finds an extent without a shape and frees it as it is.
        std::memset(static_cast<void*>(&block_state(extent, 0)), 0, count * 4);
        space_.extent(extent).shape.store(Layout::slab | size_class, std::memory_order_release);
        owned_.put({extent, Layout::slab | size_class, 0});
        ++empty_slabs_[size_class];
        free_[size_class].reserve(free_[size_class].size() + count);
        for (std::uint32_t i = count; i-- > 0;)
            add_free(Layout::block_position(extent, size_class, i), size_class);
    }
    void add_free(Position block, std::uint32_t size_class) {
        if constexpr (checked_build) poison(block_bytes(block, size_class));
        free_[size_class].push_back(block);
    }

    std::span<std::byte> block_bytes(Position block, std::uint32_t size_class) const {
        return {&space_.at<std::byte>(block), Layout::classes[size_class]};
    }

    void free_small(OwnedExtent& owner, std::uint32_t index) {
        const std::uint64_t extent = owner.number;
        const std::uint32_t size_class = Layout::class_in(owner);
        block_state(extent, index).store(unused, std::memory_order_relaxed);
        add_free(Layout::block_position(extent, size_class, index), size_class);
        live_ -= Layout::classes[size_class];
        if (--owner.live > 0 || ++empty_slabs_[size_class] <= 2) return;
        // One or two empty slabs of a class are kept against thrashing; this one goes.
        --empty_slabs_[size_class];
        take_if(free_[size_class], [&](Position block) { return block / Space::extent_bytes == extent; });
        owned_.erase(extent);
        space_.give_back(extent, 1);
    }

    // ---- blocks of whole extents ----

    Position allocate_large(std::uint64_t bytes) {
        const std::uint64_t needed = bytes / Space::extent_bytes + (bytes % Space::extent_bytes ? 1 : 0);
        const std::uint64_t length = Layout::rounded_length(needed);
        if (length >= Layout::slab) throw_space_full(space_, bytes);
        // The best fit of the warm ones, the latest among equals; a waste of a quarter is better than fresh pages.
        auto best = warm_.end();
        for (auto it = warm_.begin(); it != warm_.end(); ++it) {
            const bool fits = it->length >= length && it->length <= length + length / 4;
            if (fits && (best == warm_.end() || it->length <= best->length)) best = it;
        }
        Run run{};
        if (best != warm_.end()) {
            run = *best;
            warm_.erase(best, best + 1);
            warm_bytes_ -= run.length * Space::extent_bytes;
        } else {
            if (bytes >= checked_size) require_memory(bytes);
            run = Run{take_fresh(length), static_cast<std::uint32_t>(length)};
        }
        Extent& extent = space_.extent(run.first);
        extent.state.store(used, std::memory_order_relaxed);
        extent.shape.store(run.length, std::memory_order_release);
        owned_.put({run.first, run.length, 0});
        live_ += run.length * Space::extent_bytes;
        return run.first * Space::extent_bytes;
    }

    void free_large(std::uint64_t first, std::uint32_t length) {
        space_.extent(first).state.store(unused, std::memory_order_relaxed);
        owned_.erase(first);
        live_ -= length * Space::extent_bytes;
        warm_.push_back(Run{first, length});
        warm_bytes_ += length * Space::extent_bytes;
    }

    /// Gives back the oldest warm runs until no more than `bytes` are used and warm together. What was recently in use
    /// at once counts as needed again, and is forgotten by half every few seconds.
    void trim_to(std::uint64_t bytes) {
        if (warm_.empty()) return;
        const auto now = std::chrono::steady_clock::now();
        if (peak_since_ == std::chrono::steady_clock::time_point{}) peak_since_ = now;
        if (now - peak_since_ > std::chrono::seconds{5}) {
            peak_since_ = now;
            peak_ = (std::max)(live_, peak_ / 2);
        }
        std::size_t gone = 0;
        for (; gone < warm_.size() && live_ + warm_bytes_ > bytes; ++gone) {
            warm_bytes_ -= warm_[gone].length * Space::extent_bytes;
            space_.give_back(warm_[gone].first, warm_[gone].length);
        }
        warm_.erase(warm_.begin(), warm_.begin() + static_cast<std::ptrdiff_t>(gone));
    }

    // ---- both ----

    std::uint64_t take_fresh(std::uint64_t extents) {
        if (touched_) touched_->store(1, std::memory_order_release);
        // Before growing much: what a process gave back that was killed before it could say so.
        if (++fresh_since_collect_ > owned_.size() / 4) collect();
        auto first = space_.take(extents, self_, hint_);
        if (!first) {
            trim_to(live_);
            first = space_.take(extents, self_, 0);
        }
        if (!first) throw_space_full(space_, extents * Space::extent_bytes);
        hint_ = *first + extents;
        return *first;
    }

    bool owns(Position block) const { return owned_.contains(block / Space::extent_bytes); }

    void free_own(Position block) {
        OwnedExtent* const owner = owned_.find(block / Space::extent_bytes);
        if (!owner) return;
        if (!Layout::is_slab(*owner)) return free_large(owner->number, owner->shape);
        const std::uint32_t index = Layout::block_index(block, Layout::class_in(*owner));
        const std::uint32_t state = block_state(owner->number, index).load(std::memory_order_relaxed);
        if (state == used || state == handed) free_small(*owner, index);
    }

    void free_remote(Position block) {
        Extent& extent = space_.extent(block / Space::extent_bytes);
        // Sequentially consistent, with the load of the owner below: either the one who adopts this extent just now
        // sees the block returned, or we see that the extent is its own and tell it.
        // Killed between these steps: the block is found before the owner next takes fresh memory.
        state_of(block).store(returned, std::memory_order_seq_cst);
        extent.dirty.store(1, std::memory_order_seq_cst);
        space_.notify(extent.owner.load(std::memory_order_seq_cst));
    }

    void collect_if_notified() {
        const std::uint32_t now = space_.notifications(self_);
        if (now == notifications_) return;
        notifications_ = now; // before looking: what comes meanwhile notifies again
        collect_if([](Extent& extent) { return extent.dirty.exchange(0, std::memory_order_acquire) != 0; });
    }

    void collect() {
        fresh_since_collect_ = 0;
        collect_if([](Extent& extent) {
            extent.dirty.store(0, std::memory_order_relaxed);
            return true;
        });
    }

    template <class Wanted>
    void collect_if(Wanted wanted) {
        std::vector<std::uint64_t> numbers; // of those to look at: what is found there changes the table
        owned_.for_each([&](const OwnedExtent& owned) {
            if (wanted(space_.extent(owned.number))) numbers.push_back(owned.number);
        });
        for (const std::uint64_t number : numbers) collect_in(number);
    }

    void collect_in(std::uint64_t number) {
        const OwnedExtent owned = *owned_.find(number);
        if (!Layout::is_slab(owned)) {
            if (space_.extent(number).state.load(std::memory_order_acquire) == returned)
                free_large(number, owned.shape);
            return;
        }
        const std::uint32_t count = Layout::blocks_in_slab(Layout::class_in(owned));
        for (std::uint32_t i = 0, live = owned.live; i < count && live > 0; ++i) {
            const std::uint32_t state = block_state(number, i).load(std::memory_order_acquire);
            if (state != unused) --live;
            if (state == returned) free_small(*owned_.find(number), i); // the last one may erase it
        }
    }

    /// Returns how many extents were dealt with. What the dead one left may be half written, or wild: its shape is
    /// believed only as far as all extents that it claims bear its name.
    std::uint64_t adopt_extent(std::uint64_t first, std::uint64_t end, Incarnation dead) {
        Extent& extent = space_.extent(first);
        const std::uint32_t shape = extent.shape.load(std::memory_order_acquire);
        if (shape & Layout::slab) {
            const std::uint32_t size_class = shape & ~Layout::slab;
            if (size_class < Layout::classes.size() && adopt_slab(first, size_class)) return 1;
            space_.give_back(first, 1);
            return 1;
        }
        std::uint64_t length = 1;
        while (length < shape && first + length < end &&
               space_.extent(first + length).owner.load(std::memory_order_relaxed) == dead)
            ++length;
        if (length == shape) {
            for (std::uint64_t i = length; i-- > 0;)
                space_.extent(first + i).owner.store(self_, std::memory_order_seq_cst);
            if (extent.state.load(std::memory_order_seq_cst) == handed) {
                owned_.put({first, shape, 0});
                live_ += length * Space::extent_bytes;
                return length;
            }
        }
        space_.give_back(first, length);
        return length;
    }

    /// False if nothing in it is worth keeping.
    bool adopt_slab(std::uint64_t extent, std::uint32_t size_class) {
        space_.extent(extent).owner.store(self_, std::memory_order_seq_cst);
        const std::uint32_t count = Layout::blocks_in_slab(size_class);
        OwnedExtent kept{extent, Layout::slab | size_class, 0};
        std::vector<Position> unneeded;
        for (std::uint32_t i = 0; i < count; ++i) {
            auto& state = block_state(extent, i);
            // A block that is being returned right now counts as in use, and is collected like any other.
            const std::uint32_t now = state.load(std::memory_order_seq_cst);
            if (now == handed || now == returned) {
                ++kept.live;
            } else {
                state.store(unused, std::memory_order_relaxed);
                unneeded.push_back(Layout::block_position(extent, size_class, i));
            }
        }
        if (kept.live == 0) return false;
        owned_.put(kept);
        live_ += std::uint64_t{kept.live} * Layout::classes[size_class];
        for (const Position block : unneeded) add_free(block, size_class);
        return true;
    }

    Space& space_;
    const Incarnation self_;
    std::atomic<std::uint32_t>* const touched_;
    mutable std::mutex mutex_;
    NumberTable<OwnedExtent> owned_;
    std::array<std::vector<Position>, Layout::classes.size()> free_;
    std::array<std::uint32_t, Layout::classes.size()> empty_slabs_{};
    std::vector<Run> warm_; // oldest first
    std::uint64_t warm_bytes_ = 0;
    std::uint64_t live_ = 0;
    std::uint64_t peak_ = 0;
    std::chrono::steady_clock::time_point peak_since_{}; // of the first trim, until then
    std::uint64_t hint_ = 0;
    std::uint32_t notifications_ = 0;
    std::size_t fresh_since_collect_ = 0;
};

} // namespace multiprocessing::inline v1::detail
