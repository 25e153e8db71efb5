#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file space.hpp  The one shared memory of a process tree: reserved large, mapped once, handed
/// out in extents.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/janitor_notes.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/space/mapping.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include <boost/interprocess/mapped_region.hpp>

namespace multiprocessing::inline v1::detail {

/// Shared memory for a process and all its descendants. The root of a tree makes it before its
/// first child; every descendant maps the same object, each at its own address, so what is stored
/// in it are Positions.
///
/// It is divided into extents of 64 KiB. There is no lock and no shared allocator in it, so there
/// is nothing to repair after a kill: an extent belongs to the process whose incarnation stands in
/// its owner word, and what of it is used is recorded by that process (heap.hpp).
///
/// Each process maps what is in use of it, and more when it comes upon a position beyond.
class Space {
public:
    static constexpr std::uint64_t extent_bytes = SpaceLayout::extent_bytes;

    /// Makes one, of at most `bytes`; halved until it fits the address space, where it is mapped at
    /// once.
    explicit Space(std::uint64_t bytes = platform::reservation()) : object_(platform::Handle{}) {
        bytes = make(bytes);
        const SpaceLayout layout{bytes};
        platform::commit(mapping_.base(), 4096);
        SpaceHeader& header = this->header();
        header.abi = abi_version;
        header.ids = platform::begin_id_space();
        header.bytes = bytes;
        header.extents = layout.extents;
        header.first_extent = layout.first_extent;
        platform::fill_random({reinterpret_cast<std::byte*>(header.key.data()), sizeof header.key});
        header.high_water = header.rover = header.first_extent; // the tables' own extents are nobody's
        header.magic = SpaceHeader::expected_magic;
        parking_.emplace(mapping_.base(), header.key);
        platform::HandleTraits::keep_in_forked_child(handle().native());
    }

    /// Maps the Space that a process up the tree made. Throws ProcessError if `handle` is something
    /// else.
    explicit Space(platform::Handle handle) : object_(std::move(handle)) {
        std::uint64_t bytes = 0;
        {
            const Region first{object_, boost::interprocess::read_write, 0, 4096};
            const auto& header = *static_cast<const SpaceHeader*>(first.get_address());
            if (header.magic != SpaceHeader::expected_magic || header.abi != abi_version) {
                throw ProcessError(
                    "multiprocessing: the inherited shared memory was made by something else than "
                    "this build of the library");
            }
            bytes = header.bytes;
        }
        mapping_.begin(object_, bytes);
        parking_.emplace(mapping_.base(), header().key);
        platform::HandleTraits::keep_in_forked_child(this->handle().native());
    }

    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;

    /// Returns the memory object, to be passed to children.
    const platform::Handle& handle() const noexcept { return object_.handle(); }
    platform::Parking& parking() noexcept { return *parking_; }
    std::uint64_t bytes() const noexcept { return header().bytes; }
    const platform::IdOrigin& ids() const noexcept { return header().ids; }

    /// Returns a name for a new process of the tree, which `parent` is about to start; 0 for the
    /// root.
    Incarnation new_incarnation(Incarnation parent) {
        Incarnation name = 0;
        while (name == 0) name = header().last_incarnation.fetch_add(1, std::memory_order_relaxed) + 1;
        std::atomic<std::uint64_t>& entry = lineage(name);
        platform::commit(&entry, sizeof entry);
        entry.store(std::uint64_t{name} << 32 | parent, std::memory_order_release);
        return name;
    }

    /// Returns whether `name` was started by `ancestor`, or by a process that was, and so on. After
    /// 262,144 more starts a long-lived process may be forgotten: then false, and what it leaves is
    /// freed with the whole tree.
    bool descends_from(Incarnation name, Incarnation ancestor) const {
        while (name != 0) {
            const std::uint64_t entry = lineage(name).load(std::memory_order_acquire);
            if (entry >> 32 != name) return false;
            name = static_cast<Incarnation>(entry);
            if (name == ancestor) return true;
        }
        return false;
    }

    /// Returns what is to be done after everybody's death.
    NamedNotes& named_notes() const noexcept {
        return *reinterpret_cast<NamedNotes*>(mapping_.base() + SpaceLayout::notes_start);
    }

    /// Returns the object at a position that this library wrote. No check: the Space is trusted
    /// memory (see README). Throws `std::system_error` if the process may not map that much.
    ///
    /// All that was ever handed out is mapped first, not only what lies there: a block that begins
    /// in what is mapped may end beyond. A process that learned the position sees the high water
    /// mark that was set before its block was taken.
    template <class T>
    T& at(Position position) const {
        if (high_water() > mapping_.end()) [[unlikely]]
            reach(position / extent_bytes);
        return known<T>(position);
    }
    /// Does what at() does for a position that was learned before the last catch_up(), and without
    /// looking: half a nanosecond each.
    template <class T>
    T& known(Position position) const noexcept {
        return *reinterpret_cast<T*>(mapping_.base() + position);
    }
    void catch_up() const {
        if (high_water() > mapping_.end()) [[unlikely]]
            reach(0);
    }
    Position position_of(const void* address) const noexcept {
        return static_cast<Position>(static_cast<const std::byte*>(address) - mapping_.base());
    }
    /// Returns whether `bytes` from `position` on lie in the part that was ever handed out.
    bool holds(Position position, std::uint64_t bytes) const noexcept {
        const std::uint64_t end = header().high_water.load(std::memory_order_acquire) * extent_bytes;
        return position >= first_extent() * extent_bytes && position < end && bytes <= end - position;
    }
    bool holds(const void* address) const noexcept {
        const auto position =
            static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - mapping_.base());
        return position >= first_extent() * extent_bytes && position < mapping_.end() * extent_bytes;
    }

    Extent& extent(std::uint64_t index) const {
        if (high_water() > mapping_.end()) [[unlikely]]
            reach(index);
        return reinterpret_cast<Extent*>(mapping_.base() + SpaceLayout::extents_start)[index];
    }
    std::uint64_t first_extent() const noexcept { return header().first_extent; }
    std::uint64_t high_water() const noexcept { return header().high_water.load(std::memory_order_acquire); }

    /// Takes `count` neighbouring extents for `owner` and returns the first; nullopt if the Space
    /// is full. They may hold old content where their `state` is not 0, and are zero elsewhere;
    /// their shape is 0.
    ///
    /// The search goes round. When it comes to the end, it begins again only if an eighth of what
    /// is in use was given back since that was last in vain, else the Space grows: so each take
    /// costs the same, however much is in use.
    std::optional<std::uint64_t> allocate_extents(std::uint64_t count, Incarnation owner) {
        SpaceHeader& header = this->header();
        const std::uint64_t first = first_extent();
        const auto take_between = [&](std::uint64_t at, std::uint64_t limit) -> std::optional<std::uint64_t> {
            while (auto run = free_run(at, count, limit)) {
                if (claim(*run, count, owner)) {
                    header.rover.store(*run + count, std::memory_order_relaxed);
                    return run;
                }
                at = *run + 1; // another process was quicker
            }
            return std::nullopt;
        };
        const std::uint64_t used = high_water();
        if (auto run = take_between((std::max)(header.rover.load(std::memory_order_relaxed), first), used))
            return run;
        const auto search_all = [&]() -> std::optional<std::uint64_t> {
            const std::uint64_t given_back = header.given_back.load(std::memory_order_relaxed);
            auto run = take_between(first, high_water());
            if (!run) {
                header.searched_at.store(given_back, std::memory_order_relaxed);
                header.rover.store(high_water(), std::memory_order_relaxed);
            }
            return run;
        };
        const std::uint64_t given_back = header.given_back.load(std::memory_order_relaxed) -
                                         header.searched_at.load(std::memory_order_relaxed);
        if (given_back >= (std::max)(count, (used - first) / 8)) {
            if (auto run = search_all()) return run;
        }
        // From the last free ones on, as the new ones continue them.
        if (auto run =
                take_between((std::max)(header.rover.load(std::memory_order_relaxed), first), header.extents))
            return run;
        return search_all();
    }

    /// Gives back extents that the caller owns. What was in them is gone; the next to take them
    /// finds shape 0.
    void free_extents(std::uint64_t first, std::uint64_t count) noexcept {
        const bool zero = platform::discard(object_, first * extent_bytes, count * extent_bytes);
        // Before the owner words: killed here, it seems that there is more to be found than there
        // is.
        header().given_back.fetch_add(count, std::memory_order_relaxed);
        for (std::uint64_t i = first; i < first + count; ++i) {
            Extent& extent = this->extent(i);
            // Before the owner word: killed here, the extent is still ours, and the process that
            // sweeps up after us finds no shape in it. After it, the new owner's shape would be
            // wiped out.
            extent.shape.store(0, std::memory_order_relaxed);
            extent.state.store(zero ? 0 : 1, std::memory_order_relaxed);
            extent.dirty.store(0, std::memory_order_relaxed);
            extent.owner.store(0, std::memory_order_release);
        }
    }

    /// Discards what lies there; the extents stay the caller's. Returns true if it reads as zero
    /// from now on, false if as before.
    bool discard(Position position, std::uint64_t bytes) noexcept {
        return platform::discard(object_, position, bytes);
    }

    /// Lets `owner` know that something of its extents was given back: a hint, which it looks for
    /// when it allocates.
    void notify(Incarnation owner) noexcept { mailbox(owner).fetch_add(1, std::memory_order_release); }
    std::uint32_t notifications(Incarnation owner) const noexcept {
        return const_cast<Space*>(this)->mailbox(owner).load(std::memory_order_acquire);
    }

    // Around a fork, whose copy may have to map more.
    void before_fork() { mapping_.before_fork(); }
    void after_fork() { mapping_.after_fork(); }

private:
    using Region = boost::interprocess::mapped_region;

    std::atomic<std::uint64_t>& lineage(Incarnation name) const noexcept {
        return reinterpret_cast<std::atomic<std::uint64_t>*>(
            mapping_.base() + SpaceLayout::lineage_start)[name % SpaceLayout::lineage_size];
    }
    SpaceHeader& header() const noexcept { return *reinterpret_cast<SpaceHeader*>(mapping_.base()); }
    std::atomic<std::uint32_t>& mailbox(Incarnation owner) noexcept {
        return header().returned[owner % SpaceHeader::mailboxes];
    }

    /// Makes an object of `bytes` and begins to map it; returns how many they became.
    std::uint64_t make(std::uint64_t bytes) {
        constexpr std::uint64_t least = std::uint64_t{64} << 20;
        for (;; bytes /= 2) {
            object_ = platform::MemoryObject{bytes};
            try {
                mapping_.begin(object_, bytes);
                return bytes;
            } catch (const std::system_error&) {
                if (bytes / 2 < least) throw;
            }
        }
    }

    /// Maps what was handed out. If the process may not map all of it, what it has serves on, as it
    /// may need no more.
    void reach(std::uint64_t extent) const {
        if (extent >= header().extents)
            throw ProcessError("multiprocessing: a position points outside the shared memory");
        const std::uint64_t used = high_water();
        if (refused_.load(std::memory_order_relaxed) == used && extent < mapping_.end()) return;
        try {
            mapping_.reach(object_, (std::max)(extent + 1, used));
        } catch (const std::system_error&) {
            if (extent >= mapping_.end()) throw;
            refused_.store(used, std::memory_order_relaxed);
        }
    }

    /// Returns the first run of `count` extents, from `at` on and ending by `limit`, whose owner
    /// words are 0; those past the high water mark count as free.
    std::optional<std::uint64_t> free_run(std::uint64_t at, std::uint64_t count, std::uint64_t limit) const {
        const std::uint64_t used = (std::min)(limit, high_water());
        std::uint64_t begin = at;
        for (; at < used && at - begin < count; ++at) {
            if (extent(at).owner.load(std::memory_order_relaxed) != 0) begin = at + 1;
        }
        if (begin > limit || limit - begin < count) return std::nullopt;
        return begin;
    }

    bool claim(std::uint64_t first, std::uint64_t count, Incarnation owner) {
        if (std::uint64_t used = high_water(); first + count > used) {
            // Mapped and committed before anybody can take them: so a failure leaves nothing
            // behind, and all that lies below the mark can be read, whatever its owner had come to
            // before it was killed.
            mapping_.reach(object_, first + count);
            platform::commit(&extent(used), (first + count - used) * sizeof(Extent));
            platform::commit(mapping_.base() + used * extent_bytes, (first + count - used) * extent_bytes);
            while (used < first + count &&
                   !header().high_water.compare_exchange_weak(used, first + count, std::memory_order_acq_rel)) {
            }
        }
        for (std::uint64_t i = first; i < first + count; ++i) {
            Incarnation nobody = 0;
            // Killed here: the extents so far bear our name and no shape; the sweep after our death
            // frees them.
            if (extent(i).owner.compare_exchange_strong(nobody, owner, std::memory_order_acq_rel)) continue;
            while (i-- > first) extent(i).owner.store(0, std::memory_order_release);
            return false;
        }
        return true;
    }

    platform::MemoryObject object_;
    mutable SpaceMapping mapping_;
    mutable std::atomic<std::uint64_t> refused_{0}; // how many extents could not all be mapped
    std::optional<platform::Parking> parking_;
};

} // namespace multiprocessing::inline v1::detail
