#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file heap.hpp  Blocks of the Space for one process, recorded in its private memory and reused
/// warm.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/block_words.hpp>
#include <multiprocessing/detail/space/heap_records.hpp>
#include <multiprocessing/detail/space/large_blocks.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/size_classes.hpp>
#include <multiprocessing/detail/space/small_blocks.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// The heap of one process in the Space.
///
/// It allocates only in extents that it owns, and what of them is in use stands in private memory:
/// other processes, dying or gone wild, cannot damage it. A block may be given back by any process
/// of the tree: one that is not its owner stores a word, and the owner collects it when it next
/// allocates. When a process has died and all its descendants are gone, its parent adopts what it
/// had committed and frees the rest.
///
/// Fresh pages cost a hundred times their copy, so freed memory is kept, within what was recently
/// in use.
class Heap {
public:
    /// `touched`, if any, is set to 1 before the first memory is taken: a process that never did
    /// leaves nothing to adopt.
    Heap(Space& space, Incarnation self, std::atomic<std::uint32_t>* touched = nullptr)
        : space_(space), self_(self), touched_(touched), words_(space), small_(space), large_(space) {}
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    /// Forgets its extents, which stay this process's. (The heap of a process is never destroyed.)
    ~Heap() = default;

    /// Returns a block of at least `bytes`, aligned to 64; its content is arbitrary. Throws
    /// `std::system_error` with `not_enough_memory` and the figures if there is no room for it.
    Position allocate(std::uint64_t bytes);

    /// Does what allocate() does, with all bytes zero. A large block takes memory only where it is
    /// touched.
    Position allocate_zeroed(std::uint64_t bytes);

    /// Makes the block survive this process: it belongs to the parent, which is told its position
    /// next. Killed between: the parent finds the position in the record of what this process was
    /// about (WorkerLine).
    void hand_over(Position block) noexcept {
        words_.state_of(block).store(BlockWords::handed, std::memory_order_release);
    }

    /// Returns whether the block lies in memory that bears this process's name, and so will be kept
    /// when it is handed over.
    bool is_own(Position block) const noexcept { return words_.owner_of(block) == self_; }

    /// Returns the bytes that a block in use has, whichever process allocated it.
    std::uint64_t room_of(Position block) const noexcept { return words_.room_of(block); }

    /// Gives a block back, whichever process allocated it.
    void free(Position block) noexcept;

    /// Takes over the memory of a child that has died and whose descendants are all gone: blocks
    /// that it handed over go on living as this heap's; everything else of it and all of theirs is
    /// freed.
    void adopt(Incarnation dead);

    /// Frees a block that adopt() has kept because its owner was about to hand it over, but did not
    /// live to say so.
    void free_adopted(Position block);

    /// Frees what is kept warm beyond `bytes`.
    void trim(std::uint64_t bytes = 0);

    /// Frees what is kept warm beyond `least_kept` and was in use at no moment of the last second.
    /// Returns true if some of that may remain: then it is worth to call again in a second.
    bool trim_unused() noexcept;

    /// Returns the bytes in use. (What other processes gave back counts as in use until it is
    /// collected.)
    std::uint64_t live() const {
        std::lock_guard lock{mutex_};
        return in_use();
    }
    /// Returns the bytes that are kept warm.
    std::uint64_t warm() const {
        std::lock_guard lock{mutex_};
        return large_.warm();
    }

private:
    using Layout = HeapLayout;

    static constexpr std::uint64_t least_kept = std::uint64_t{64} << 20;
    static constexpr std::uint64_t checked_size = std::uint64_t{1} << 20;
    static constexpr std::uint64_t discarded_size = std::uint64_t{1} << 20; // from here on zero by fresh pages

    /// A block of whole extents.
    struct Large {
        Position position;
        bool is_zero; ///< As the system gave it.
    };

    // All below are called with the mutex held.

    Position allocate_small(std::uint64_t bytes) {
        const std::uint32_t size_class = Layout::class_of(bytes);
        if (!small_.has_free(size_class)) add_slab(size_class);
        return small_.allocate(size_class);
    }
    Large allocate_large(std::uint64_t bytes);

    void add_slab(std::uint32_t size_class) {
        Slab::Pointer slab = Slab::make(size_class);
        owned_.expect();
        slab->extent = take_fresh(1);
        small_.add(*slab);
        owned_.add(std::move(slab));
    }
    std::uint64_t take_fresh(std::uint64_t extents);

    void free_own(Position block) noexcept;
    void free_small(Slab& slab, std::uint32_t index) noexcept {
        if (!small_.free(slab, index)) return;
        owned_.remove(slab);
        space_.free_extents(slab.extent, 1);
        Slab::Delete{}(&slab);
    }
    void free_large(Run& run) noexcept {
        owned_.remove(run);
        large_.free(run);
    }

    std::uint64_t in_use() const noexcept { return small_.live() + large_.live(); }

    /// Gives back the oldest warm runs until no more than `bytes` are in use and warm together.
    void trim_to(std::uint64_t bytes) noexcept {
        while (in_use() + large_.warm() > bytes && large_.give_back_oldest()) {}
    }
    /// Does trim_to() what was recently in use: a fresh page costs a hundred times its copy, and
    /// that much will probably be needed again.
    void trim_to_recent() noexcept {
        if (in_use() + large_.warm() > least_kept) trim_to((std::max)(least_kept, peak_.most(in_use())));
    }
    void note_use() noexcept {
        peak_.note(in_use());
        trim_to_recent();
    }

    /// Collects what other processes gave back, if there is a notice of that. Looks at no more than
    /// some extents for each allocation, however many are owned.
    void collect_if_notified();
    void collect();
    template <class Wanted>
    void collect_if(Wanted wanted);
    void collect_in(const OwnedExtents::Owned& owned) noexcept;

    /// Returns how many extents were dealt with. What the dead process left may be half written, or
    /// wild: its shape is believed only as far as all extents that it claims bear its name.
    std::uint64_t adopt_extent(std::uint64_t first, std::uint64_t end, Incarnation dead);
    /// Returns false if nothing in it is worth keeping.
    bool adopt_slab(std::uint64_t extent, std::uint32_t size_class);

    Space& space_;
    const Incarnation self_;
    std::atomic<std::uint32_t>* const touched_;
    const BlockWords words_;
    mutable Mutex mutex_;
    OwnedExtents owned_;
    SmallBlocks small_;
    LargeBlocks large_;
    RecentPeak peak_;
    std::uint32_t notifications_ = 0;
    std::size_t allocations_since_look_ = 0;
    std::size_t fresh_since_collect_ = 0;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/space/memory_check.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE Position Heap::allocate(std::uint64_t bytes) {
    std::lock_guard lock{mutex_};
    collect_if_notified();
    const Position block =
        bytes <= Layout::largest_small ? allocate_small(bytes) : allocate_large(bytes).position;
    note_use();
    return block;
}

MULTIPROCESSING_INLINE Position Heap::allocate_zeroed(std::uint64_t bytes) {
    Large large{};
    {
        std::lock_guard lock{mutex_};
        collect_if_notified();
        if (bytes <= Layout::largest_small) {
            large.position = allocate_small(bytes);
        } else {
            large = allocate_large(bytes);
        }
        note_use();
    }
    if (!large.is_zero && (bytes < discarded_size || !space_.discard(large.position, room_of(large.position))))
        std::memset(&space_.at<std::byte>(large.position), 0, static_cast<std::size_t>(bytes));
    return large.position;
}

MULTIPROCESSING_INLINE void Heap::free(Position block) noexcept {
    if (!is_own(block)) return words_.return_to_owner(block);
    std::lock_guard lock{mutex_};
    free_own(block);
    trim_to_recent();
}

MULTIPROCESSING_INLINE void Heap::adopt(Incarnation dead) {
    std::lock_guard lock{mutex_};
    const std::uint64_t end = space_.high_water();
    for (std::uint64_t i = space_.first_extent(); i < end;) {
        const Incarnation owner = space_.extent(i).owner.load(std::memory_order_acquire);
        if (owner == dead) {
            i += adopt_extent(i, end, dead);
        } else {
            if (owner != 0 && owner != self_ && space_.descends_from(owner, dead)) space_.free_extents(i, 1);
            ++i;
        }
    }
    collect(); // blocks that were given back while their extent still bore the dead one's name
}

MULTIPROCESSING_INLINE void Heap::free_adopted(Position block) {
    std::lock_guard lock{mutex_};
    const bool is_kept = owned_.find(block / Space::extent_bytes) != nullptr;
    if (is_kept && words_.state_of(block).load(std::memory_order_acquire) == BlockWords::handed)
        free_own(block);
}

MULTIPROCESSING_INLINE void Heap::trim(std::uint64_t bytes) {
    std::lock_guard lock{mutex_};
    collect();
    trim_to(in_use() + bytes);
}

MULTIPROCESSING_INLINE bool Heap::trim_unused() noexcept {
    std::lock_guard lock{mutex_};
    trim_to_recent();
    return in_use() + large_.warm() > least_kept && large_.warm() > 0;
}

MULTIPROCESSING_INLINE Heap::Large Heap::allocate_large(std::uint64_t bytes) {
    const std::uint64_t needed = bytes / Space::extent_bytes + (bytes % Space::extent_bytes ? 1 : 0);
    const std::uint64_t length = Layout::rounded_length(needed);
    if (length >= Layout::slab) throw_space_full(space_, bytes);
    owned_.expect();
    std::unique_ptr<Run> run = large_.take_warm(length);
    bool is_zero = false;
    if (!run) {
        if (bytes >= checked_size) require_memory(bytes);
        run = std::make_unique<Run>();
        run->length = static_cast<std::uint32_t>(length);
        run->first = take_fresh(length);
        is_zero = large_.is_untouched(*run);
    }
    large_.begin_use(*run);
    const Position block = run->first * Space::extent_bytes;
    owned_.add(std::move(run));
    return {block, is_zero};
}

MULTIPROCESSING_INLINE std::uint64_t Heap::take_fresh(std::uint64_t extents) {
    if (touched_) touched_->store(1, std::memory_order_release);
    // Before growing much: what a process gave back that was killed before it could say so.
    if (++fresh_since_collect_ > owned_.size() / 4) collect();
    auto first = space_.allocate_extents(extents, self_);
    if (!first) {
        trim_to(in_use());
        first = space_.allocate_extents(extents, self_);
    }
    if (!first) throw_space_full(space_, extents * Space::extent_bytes);
    return *first;
}

MULTIPROCESSING_INLINE void Heap::free_own(Position block) noexcept {
    OwnedExtents::Owned* const owner = owned_.find(block / Space::extent_bytes);
    if (!owner) return;
    if (owner->run) return free_large(*owner->run);
    const std::uint32_t index = Layout::block_index(block, owner->slab->size_class);
    const std::uint32_t state = words_.state_in_slab(owner->number, index).load(std::memory_order_relaxed);
    if (state == BlockWords::used || state == BlockWords::handed) free_small(*owner->slab, index);
}

MULTIPROCESSING_INLINE void Heap::collect_if_notified() {
    ++allocations_since_look_;
    const std::uint32_t now = space_.notifications(self_);
    if (now == notifications_ || allocations_since_look_ < owned_.size() / 8) return;
    allocations_since_look_ = 0;
    notifications_ = now; // before looking: what comes meanwhile notifies again
    collect_if([](Extent& extent) {
        return extent.dirty.load(std::memory_order_relaxed) != 0 &&
               extent.dirty.exchange(0, std::memory_order_acquire) != 0;
    });
}

MULTIPROCESSING_INLINE void Heap::collect() {
    fresh_since_collect_ = 0;
    collect_if([](Extent& extent) {
        extent.dirty.exchange(0, std::memory_order_acquire); // a notice that comes meanwhile is not lost
        return true;
    });
}

template <class Wanted>
void Heap::collect_if(Wanted wanted) {
    std::vector<std::uint64_t> numbers; // of those to look at: what is found there changes the table
    owned_.for_each([&](const OwnedExtents::Owned& owned) {
        if (wanted(space_.extent(owned.number))) numbers.push_back(owned.number);
    });
    for (const std::uint64_t number : numbers) collect_in(*owned_.find(number));
}

MULTIPROCESSING_INLINE void Heap::collect_in(const OwnedExtents::Owned& owned) noexcept {
    if (owned.run) {
        if (large_.was_returned(*owned.run)) free_large(*owned.run);
        return;
    }
    Slab& slab = *owned.slab;
    const std::uint64_t number = slab.extent;
    const std::uint32_t count = Layout::blocks_in_slab(slab.size_class);
    for (std::uint32_t i = 0, live = slab.live; i < count && live > 0; ++i) {
        const std::uint32_t state = words_.state_in_slab(number, i).load(std::memory_order_acquire);
        if (state != BlockWords::unused) --live;
        // The last one may end the slab: then `live` is 0.
        if (state == BlockWords::returned) free_small(slab, i);
    }
}

MULTIPROCESSING_INLINE std::uint64_t Heap::adopt_extent(std::uint64_t first, std::uint64_t end,
                                                        Incarnation dead) {
    const std::uint32_t shape = space_.extent(first).shape.load(std::memory_order_acquire);
    if (shape & Layout::slab) {
        const std::uint32_t size_class = shape & ~Layout::slab;
        if (size_class < Layout::classes.size() && adopt_slab(first, size_class)) return 1;
        space_.free_extents(first, 1);
        return 1;
    }
    std::uint64_t length = 1;
    while (length < shape && first + length < end &&
           space_.extent(first + length).owner.load(std::memory_order_relaxed) == dead)
        ++length;
    if (length == shape) {
        auto run = std::make_unique<Run>();
        run->first = first;
        run->length = shape;
        owned_.expect();
        for (std::uint64_t i = length; i-- > 0;)
            space_.extent(first + i).owner.store(self_, std::memory_order_seq_cst);
        if (large_.adopt(*run)) {
            owned_.add(std::move(run));
            return length;
        }
    }
    space_.free_extents(first, length);
    return length;
}

MULTIPROCESSING_INLINE bool Heap::adopt_slab(std::uint64_t extent, std::uint32_t size_class) {
    Slab::Pointer slab = Slab::make(size_class);
    owned_.expect();
    slab->extent = extent;
    space_.extent(extent).owner.store(self_, std::memory_order_seq_cst);
    if (!small_.adopt(*slab)) return false;
    owned_.add(std::move(slab));
    return true;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
