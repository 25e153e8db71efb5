#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file heap.hpp  Blocks of the Space for one process, recorded in its private memory and reused
/// warm.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/poison.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/heap_records.hpp>
#include <multiprocessing/detail/space/memory_check.hpp>
#include <multiprocessing/detail/space/number_table.hpp>
#include <multiprocessing/detail/space/size_classes.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

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
        : space_(space), self_(self), touched_(touched) {}
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    /// Forgets its extents, which stay this process's. (The heap of a process is never destroyed.)
    ~Heap() {
        while (Run* const run = warm_.oldest()) {
            warm_.remove(*run);
            delete run;
        }
        owned_.for_each([](const Owned& owned) {
            delete owned.run;
            if (owned.slab) Slab::Delete{}(owned.slab);
        });
    }

    /// A block of at least `bytes`, aligned to 64; its content is arbitrary. Throws
    /// `std::system_error` with `not_enough_memory` and the figures if there is no room for it.
    Position allocate(std::uint64_t bytes) {
        std::lock_guard lock{mutex_};
        collect_if_notified();
        const Position block =
            bytes <= Layout::largest_small ? allocate_small(bytes) : allocate_large(bytes).position;
        note_use();
        return block;
    }

    /// As allocate(), and all zero. A large one takes memory only where it is touched.
    Position allocate_zeroed(std::uint64_t bytes) {
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
        if (!large.is_zero &&
            (bytes < discarded_size || !space_.discard(large.position, room_of(large.position))))
            std::memset(&space_.at<std::byte>(large.position), 0, static_cast<std::size_t>(bytes));
        return large.position;
    }

    /// From now on the block survives this process: it belongs to the parent, which is told its
    /// position next. Killed between: the parent finds the position in the record of what this
    /// process was about (WorkerLine).
    void hand_over(Position block) noexcept { state_of(block).store(handed, std::memory_order_release); }

    /// Whether it lies in memory that bears this process's name, and so will be kept when it is
    /// handed over.
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
    void free(Position block) noexcept {
        const Extent& extent = space_.extent(block / Space::extent_bytes);
        if (extent.owner.load(std::memory_order_acquire) != self_) return free_remote(block);
        std::lock_guard lock{mutex_};
        free_own(block);
        trim_to_recent();
    }

    /// Takes over the memory of a child that has died and whose descendants are all gone: blocks
    /// that it handed over go on living as this heap's; everything else of it and all of theirs is
    /// freed.
    void adopt(Incarnation dead) {
        std::lock_guard lock{mutex_};
        const std::uint64_t end = space_.high_water();
        for (std::uint64_t i = space_.first_extent(); i < end;) {
            const Incarnation owner = space_.extent(i).owner.load(std::memory_order_acquire);
            if (owner == dead) {
                i += adopt_extent(i, end, dead);
            } else {
                if (owner != 0 && owner != self_ && space_.descends_from(owner, dead))
                    space_.free_extents(i, 1);
                ++i;
            }
        }
        collect(); // blocks that were given back while their extent still bore the dead one's name
    }

    /// Frees a block that adopt() has kept because its owner was about to hand it over, but did not
    /// live to say so.
    void free_adopted(Position block) {
        std::lock_guard lock{mutex_};
        if (owns(block) && state_of(block).load(std::memory_order_acquire) == handed) free_own(block);
    }

    /// Frees what is kept warm beyond `bytes`.
    void trim(std::uint64_t bytes = 0) {
        std::lock_guard lock{mutex_};
        collect();
        trim_to(live_ + bytes);
    }

    /// Frees what is kept warm beyond `least_kept` and was in use at no moment of the last second.
    /// True if some of that may remain: then it is worth to call again in a second.
    bool trim_unused() noexcept {
        std::lock_guard lock{mutex_};
        trim_to_recent();
        return kept() > least_kept && warm_.extents() > 0;
    }

    /// Bytes in use, and bytes kept warm. (What others gave back counts as in use until it is
    /// collected.)
    std::uint64_t live() const {
        std::lock_guard lock{mutex_};
        return live_;
    }
    std::uint64_t warm() const {
        std::lock_guard lock{mutex_};
        return warm_.extents() * Space::extent_bytes;
    }

private:
    using Layout = HeapLayout;

    // A block's state word. Whoever has a block may store `returned`; all else is the owner's.
    enum BlockState : std::uint32_t { unused, used, handed, returned };

    static constexpr std::uint64_t least_kept = std::uint64_t{64} << 20;
    static constexpr std::uint64_t checked_size = std::uint64_t{1} << 20;
    static constexpr std::uint64_t discarded_size = std::uint64_t{1} << 20; // from here on zero by fresh pages

    /// An extent of the heap: a slab, or the first of a run.
    struct Owned {
        std::uint64_t number;
        Slab* slab;
        Run* run;
    };

    /// A block of whole extents.
    struct Large {
        Position position;
        bool is_zero; ///< As the system gave it.
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
        if (!with_free_[size_class].front()) add_slab(size_class);
        Slab& slab = *with_free_[size_class].front();
        const std::uint32_t index = slab.free[--slab.free_count];
        if (slab.free_count == 0) with_free_[size_class].remove(slab);
        block_state(slab.extent, index).store(used, std::memory_order_relaxed);
        const Position block = Layout::block_position(slab.extent, size_class, index);
        if constexpr (checked_build) check_untouched(block_bytes(block, size_class));
        if (slab.live++ == 0) --empty_slabs_[size_class];
        live_ += Layout::classes[size_class];
        return block;
    }

    void add_slab(std::uint32_t size_class) {
        Slab::Pointer slab = Slab::make(size_class);
        owned_.reserve(owned_.size() + 1);
        slab->extent = take_fresh(1);
        const std::uint32_t count = Layout::blocks_in_slab(size_class);
        // States before the shape: killed here, the sweep finds an extent without a shape and frees
        // it as it is.
        std::memset(static_cast<void*>(&block_state(slab->extent, 0)), 0, count * 4);
        space_.extent(slab->extent).shape.store(Layout::slab | size_class, std::memory_order_release);
        for (std::uint32_t i = count; i-- > 0;) add_free(*slab, i);
        ++empty_slabs_[size_class];
        own(*slab.release());
    }
    void own(Slab& slab) noexcept { owned_.put({slab.extent, &slab, nullptr}); }
    void add_free(Slab& slab, std::uint32_t index) noexcept {
        if constexpr (checked_build) {
            poison(block_bytes(Layout::block_position(slab.extent, slab.size_class, index), slab.size_class));
        }
        if (slab.free_count == 0) with_free_[slab.size_class].push_front(slab);
        slab.free[slab.free_count++] = static_cast<std::uint16_t>(index);
    }

    std::span<std::byte> block_bytes(Position block, std::uint32_t size_class) const {
        return {&space_.at<std::byte>(block), Layout::classes[size_class]};
    }

    void free_small(Slab& slab, std::uint32_t index) noexcept {
        block_state(slab.extent, index).store(unused, std::memory_order_relaxed);
        add_free(slab, index);
        live_ -= Layout::classes[slab.size_class];
        if (--slab.live > 0 || ++empty_slabs_[slab.size_class] <= 2) return;
        // One or two empty slabs of a class are kept against thrashing; this one goes.
        --empty_slabs_[slab.size_class];
        with_free_[slab.size_class].remove(slab);
        owned_.erase(slab.extent);
        space_.free_extents(slab.extent, 1);
        Slab::Delete{}(&slab);
    }

    // ---- blocks of whole extents ----

    Large allocate_large(std::uint64_t bytes) {
        const std::uint64_t needed = bytes / Space::extent_bytes + (bytes % Space::extent_bytes ? 1 : 0);
        const std::uint64_t length = Layout::rounded_length(needed);
        if (length >= Layout::slab) throw_space_full(space_, bytes);
        owned_.reserve(owned_.size() + 1);
        bool is_zero = false;
        Run* run = warm_.find(length);
        if (run) {
            warm_.remove(*run);
        } else {
            if (bytes >= checked_size) require_memory(bytes);
            auto fresh = std::make_unique<Run>();
            fresh->length = static_cast<std::uint32_t>(length);
            fresh->first = take_fresh(length);
            is_zero = true;
            for (std::uint64_t i = 0; i < length; ++i)
                is_zero = is_zero && space_.extent(fresh->first + i).state.load(std::memory_order_relaxed) == 0;
            run = fresh.release();
        }
        Extent& extent = space_.extent(run->first);
        extent.state.store(used, std::memory_order_relaxed);
        extent.shape.store(run->length, std::memory_order_release);
        own(*run);
        return {run->first * Space::extent_bytes, is_zero};
    }
    void own(Run& run) noexcept {
        owned_.put({run.first, nullptr, &run});
        live_ += run.length * Space::extent_bytes;
    }

    void free_large(Run& run) noexcept {
        space_.extent(run.first).state.store(unused, std::memory_order_relaxed);
        owned_.erase(run.first);
        live_ -= run.length * Space::extent_bytes;
        warm_.add(run);
    }

    /// Bytes in use and kept warm.
    std::uint64_t kept() const noexcept { return live_ + warm_.extents() * Space::extent_bytes; }

    /// Gives back the oldest warm runs until no more than `bytes` are used and warm together.
    void trim_to(std::uint64_t bytes) noexcept {
        while (kept() > bytes) {
            Run* const run = warm_.oldest();
            if (!run) return;
            warm_.remove(*run);
            space_.free_extents(run->first, run->length);
            delete run;
        }
    }

    /// A fresh page costs a hundred times its copy: what was in use a moment ago will probably be
    /// needed again.
    void trim_to_recent() noexcept {
        if (kept() > least_kept) trim_to((std::max)(least_kept, peak_.most(live_)));
    }
    void note_use() noexcept {
        peak_.note(live_);
        trim_to_recent();
    }

    // ---- both ----

    std::uint64_t take_fresh(std::uint64_t extents) {
        if (touched_) touched_->store(1, std::memory_order_release);
        // Before growing much: what a process gave back that was killed before it could say so.
        if (++fresh_since_collect_ > owned_.size() / 4) collect();
        auto first = space_.allocate_extents(extents, self_);
        if (!first) {
            trim_to(live_);
            first = space_.allocate_extents(extents, self_);
        }
        if (!first) throw_space_full(space_, extents * Space::extent_bytes);
        return *first;
    }

    bool owns(Position block) const noexcept { return owned_.contains(block / Space::extent_bytes); }

    void free_own(Position block) noexcept {
        Owned* const owner = owned_.find(block / Space::extent_bytes);
        if (!owner) return;
        if (owner->run) return free_large(*owner->run);
        const std::uint32_t index = Layout::block_index(block, owner->slab->size_class);
        const std::uint32_t state = block_state(owner->number, index).load(std::memory_order_relaxed);
        if (state == used || state == handed) free_small(*owner->slab, index);
    }

    void free_remote(Position block) noexcept {
        Extent& extent = space_.extent(block / Space::extent_bytes);
        // Sequentially consistent, with the load of the owner below: either the one who adopts this
        // extent just now sees the block returned, or we see that the extent is its own and tell
        // it. Killed between these steps: the block is found before the owner next takes fresh
        // memory.
        state_of(block).store(returned, std::memory_order_seq_cst);
        extent.dirty.store(1, std::memory_order_seq_cst);
        space_.notify(extent.owner.load(std::memory_order_seq_cst));
    }

    /// Looks at no more than some extents for each allocation, however many are owned.
    void collect_if_notified() {
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

    void collect() {
        fresh_since_collect_ = 0;
        collect_if([](Extent& extent) {
            extent.dirty.exchange(0, std::memory_order_acquire); // a notice that comes meanwhile is not lost
            return true;
        });
    }

    template <class Wanted>
    void collect_if(Wanted wanted) {
        std::vector<std::uint64_t> numbers; // of those to look at: what is found there changes the table
        owned_.for_each([&](const Owned& owned) {
            if (wanted(space_.extent(owned.number))) numbers.push_back(owned.number);
        });
        for (const std::uint64_t number : numbers) collect_in(*owned_.find(number));
    }

    void collect_in(const Owned& owned) noexcept {
        if (owned.run) {
            if (space_.extent(owned.number).state.load(std::memory_order_acquire) == returned)
                free_large(*owned.run);
            return;
        }
        Slab& slab = *owned.slab;
        const std::uint64_t number = slab.extent;
        const std::uint32_t count = Layout::blocks_in_slab(slab.size_class);
        for (std::uint32_t i = 0, live = slab.live; i < count && live > 0; ++i) {
            const std::uint32_t state = block_state(number, i).load(std::memory_order_acquire);
            if (state != unused) --live;
            if (state == returned) free_small(slab, i); // the last one may end the slab: then `live` is 0
        }
    }

    /// Returns how many extents were dealt with. What the dead one left may be half written, or
    /// wild: its shape is believed only as far as all extents that it claims bear its name.
    std::uint64_t adopt_extent(std::uint64_t first, std::uint64_t end, Incarnation dead) {
        Extent& extent = space_.extent(first);
        const std::uint32_t shape = extent.shape.load(std::memory_order_acquire);
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
            owned_.reserve(owned_.size() + 1);
            for (std::uint64_t i = length; i-- > 0;)
                space_.extent(first + i).owner.store(self_, std::memory_order_seq_cst);
            if (extent.state.load(std::memory_order_seq_cst) == handed) {
                run->first = first;
                run->length = shape;
                own(*run.release());
                return length;
            }
        }
        space_.free_extents(first, length);
        return length;
    }

    /// False if nothing in it is worth keeping.
    bool adopt_slab(std::uint64_t extent, std::uint32_t size_class) {
        Slab::Pointer slab = Slab::make(size_class);
        owned_.reserve(owned_.size() + 1);
        slab->extent = extent;
        space_.extent(extent).owner.store(self_, std::memory_order_seq_cst);
        const std::uint32_t count = Layout::blocks_in_slab(size_class);
        const auto is_kept = [&](std::uint32_t index) {
            // A block that is being returned right now counts as in use, and is collected like any
            // other.
            const std::uint32_t now = block_state(extent, index).load(std::memory_order_seq_cst);
            return now == handed || now == returned;
        };
        std::uint32_t live = 0;
        for (std::uint32_t i = count; i-- > 0;) {
            if (is_kept(i)) {
                ++live;
            } else {
                block_state(extent, i).store(unused, std::memory_order_relaxed);
                add_free(*slab, i);
            }
        }
        if (live == 0) {
            with_free_[size_class].remove(*slab);
            return false;
        }
        slab->live = live;
        live_ += std::uint64_t{live} * Layout::classes[size_class];
        own(*slab.release());
        return true;
    }

    Space& space_;
    const Incarnation self_;
    std::atomic<std::uint32_t>* const touched_;
    mutable Mutex mutex_;
    NumberTable<Owned> owned_;
    std::array<RecordList<Slab, &Slab::with_free>, Layout::classes.size()> with_free_;
    std::array<std::uint32_t, Layout::classes.size()> empty_slabs_{};
    WarmRuns warm_;
    std::uint64_t live_ = 0;
    RecentPeak peak_;
    std::uint32_t notifications_ = 0;
    std::size_t allocations_since_look_ = 0;
    std::size_t fresh_since_collect_ = 0;
};

} // namespace multiprocessing::inline v1::detail
