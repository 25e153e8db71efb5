#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file space.hpp  The one shared memory of a process tree: reserved large, mapped once, handed out in extents.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/named_notes.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <boost/interprocess/mapped_region.hpp>

namespace multiprocessing::inline v1::detail {

/// An offset in the Space: the same in every process that maps it. 0 is none.
using Position = std::uint64_t;

/// Names a process in its tree; never used again, and never 0.
using Incarnation = std::uint32_t;

/// What is known of an extent. All of it is written by the owner alone, but for `state` and `dirty`.
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
    std::uint64_t first_extent;
    std::atomic<Incarnation> last_incarnation;
    std::atomic<std::uint64_t> high_water; ///< Extents from here on were never taken.
    /// Counts what was given back to the processes whose incarnation falls on each, as a hint to look.
    std::atomic<std::uint32_t> returned[mailboxes];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(SpaceHeader) <= 4096 && sizeof(Extent) == 16);

/// Shared memory for a process and all its descendants. The root of a tree makes it before its first child; every
/// descendant maps the same object, each at its own address, so what is stored in it are Positions.
///
/// It is divided into extents of 64 KiB. There is no lock and no shared allocator in it, so there is nothing to
/// repair after a kill: an extent belongs to the process whose incarnation stands in its owner word, and
/// what of it is used is recorded by that process (heap.hpp).
class Space {
public:
    static constexpr std::uint64_t extent_bytes = 65'536;

    /// Makes one, of at most `bytes`; halved until it fits the address space (`ulimit -v`).
    explicit Space(std::uint64_t bytes = platform::reservation()) : object_(make(bytes, region_)) {
        platform::exclude_from_dumps(base(), region_.get_size());
        platform::commit(base(), 4096);
        SpaceHeader& header = this->header();
        header.abi = abi_version;
        header.bytes = region_.get_size();
        header.extents = header.bytes / extent_bytes;
        header.first_extent = (notes_start() + sizeof(NamedNotes) + extent_bytes - 1) / extent_bytes;
        platform::fill_random({reinterpret_cast<std::byte*>(header.key.data()), sizeof header.key});
        const std::uint64_t table_end = sizeof(SpaceHeader) + header.extents * sizeof(Extent);
        header.high_water =
            (table_end + extent_bytes - 1) / extent_bytes; // the table's own extents are nobody's
        commit_table(0, header.high_water);
        header.magic = SpaceHeader::expected_magic;
        parking_.emplace(base(), header.key);
        platform::HandleTraits::keep_in_forked_child(handle().native());
    }

    /// Maps the one that a process up the tree made. Throws ProcessError if `handle` is something else.
    explicit Space(platform::Handle handle) : object_(std::move(handle)) {
        namespace bip = boost::interprocess;
        std::uint64_t bytes = 0;
        {
            const bip::mapped_region first{object_, bip::read_write, 0, 4096};
            const auto& header = *static_cast<const SpaceHeader*>(first.get_address());
            if (header.magic != SpaceHeader::expected_magic || header.abi != abi_version) {
                throw ProcessError(
                    "multiprocessing: the inherited shared memory was made by something else than "
                    "this build of the library");
            }
            bytes = header.bytes;
        }
        bip::mapped_region{object_, bip::read_write, 0, static_cast<std::size_t>(bytes)}.swap(region_);
        platform::exclude_from_dumps(base(), bytes);
        parking_.emplace(base(), header().key);
        platform::HandleTraits::keep_in_forked_child(this->handle().native());
    }

    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;

    /// The memory object, to be passed to children.
    const platform::Handle& handle() const noexcept { return object_.handle(); }
    platform::Parking& parking() noexcept { return *parking_; }
    std::uint64_t bytes() const noexcept { return header().bytes; }

    /// A name for a new process of the tree, which `parent` is about to start; 0 for the root.
    Incarnation new_incarnation(Incarnation parent) {
        const Incarnation name = header().last_incarnation.fetch_add(1, std::memory_order_relaxed) + 1;
        std::atomic<std::uint64_t>& entry = lineage(name);
        platform::commit(&entry, sizeof entry);
        entry.store(std::uint64_t{name} << 32 | parent, std::memory_order_release);
        return name;
    }

    /// Whether `name` was started by `ancestor`, or by a process that was, and so on. After 262,144 more starts a long-lived
    /// process may be forgotten: then false, and what it leaves is freed with the whole tree.
    bool descends_from(Incarnation name, Incarnation ancestor) const {
        while (name != 0) {
            const std::uint64_t entry = lineage(name).load(std::memory_order_acquire);
            if (entry >> 32 != name) return false;
            name = static_cast<Incarnation>(entry);
            if (name == ancestor) return true;
        }
        return false;
    }

    /// What is to be done after everybody's death.
    NamedNotes& named_notes() const noexcept { return *reinterpret_cast<NamedNotes*>(base() + notes_start()); }

    /// The object at a position that this library wrote. No check: the Space is trusted memory (see README).
    template <class T>
    T& at(Position position) const noexcept {
        return *reinterpret_cast<T*>(base() + position);
    }
    Position position_of(const void* address) const noexcept {
        return static_cast<Position>(static_cast<const std::byte*>(address) - base());
    }
    /// Whether `bytes` from `position` on lie in the part that was ever handed out.
    bool holds(Position position, std::uint64_t bytes) const noexcept {
        const std::uint64_t end = header().high_water.load(std::memory_order_acquire) * extent_bytes;
        return position < end && bytes <= end - position;
    }
    bool holds(const void* address) const noexcept {
        return static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - base()) < region_.get_size();
    }

    Extent& extent(std::uint64_t index) const noexcept {
        return reinterpret_cast<Extent*>(base() + sizeof(SpaceHeader))[index];
    }
    std::uint64_t first_extent() const noexcept { return header().first_extent; }
    std::uint64_t high_water() const noexcept { return header().high_water.load(std::memory_order_acquire); }

    /// Takes `count` neighbouring extents for `owner` and returns the first; nullopt if the Space is full. Searches what
    /// was used before from `hint` on, then all of it, and grows only then. The extents may hold old content, but
    /// their shape is 0.
    std::optional<std::uint64_t> take(std::uint64_t count, Incarnation owner, std::uint64_t hint) {
        const std::uint64_t first = first_extent();
        const std::uint64_t used = high_water();
        const std::pair<std::uint64_t, std::uint64_t> searches[]{
            {hint, used}, {first, used}, {first, header().extents}};
        for (auto [at, limit] : searches) {
            while (auto run = free_run((std::max)(at, first), count, limit)) {
                if (claim(*run, count, owner)) return run;
                at = *run + 1; // somebody else was quicker
            }
        }
        return std::nullopt;
    }

    /// Gives back extents that the caller owns. What was in them is gone; the next to take them finds shape 0.
    void give_back(std::uint64_t first, std::uint64_t count) noexcept {
        platform::discard(object_, first * extent_bytes, count * extent_bytes);
        for (std::uint64_t i = first; i < first + count; ++i) {
            Extent& extent = this->extent(i);
            // Before the owner word: killed here, the extent is still ours, and whoever sweeps up after us finds no
            // shape in it. After it, the new owner's shape would be wiped out.
            extent.shape.store(0, std::memory_order_relaxed);
            extent.state.store(0, std::memory_order_relaxed);
            extent.dirty.store(0, std::memory_order_relaxed);
            extent.owner.store(0, std::memory_order_release);
        }
    }

    /// What lies there is not needed any more; the extents stay the caller's. Reads as zero, or as before.
    void discard(Position position, std::uint64_t bytes) noexcept {
        platform::discard(object_, position, bytes);
    }

    /// Lets `owner` know that something of its extents was given back: a hint, which it looks for when it allocates.
    void notify(Incarnation owner) noexcept { mailbox(owner).fetch_add(1, std::memory_order_release); }
    std::uint32_t notifications(Incarnation owner) const noexcept {
        return const_cast<Space*>(this)->mailbox(owner).load(std::memory_order_acquire);
    }

private:
    using Region = boost::interprocess::mapped_region;

    static constexpr std::uint64_t lineage_size = 1 << 18; // name and parent's name of each process, by name

    std::uint64_t lineage_start() const noexcept {
        return sizeof(SpaceHeader) + header().extents * sizeof(Extent);
    }
    std::atomic<std::uint64_t>& lineage(Incarnation name) const noexcept {
        return reinterpret_cast<std::atomic<std::uint64_t>*>(base() + lineage_start())[name % lineage_size];
    }

    std::uint64_t notes_start() const noexcept {
        return lineage_start() + lineage_size * sizeof(std::uint64_t);
    }

    static platform::MemoryObject make(std::uint64_t bytes, Region& region) {
        constexpr std::uint64_t least = std::uint64_t{64} << 20;
        for (;; bytes /= 2) {
            try {
                platform::MemoryObject object{bytes};
                Region{object, boost::interprocess::read_write, 0, static_cast<std::size_t>(bytes)}.swap(
                    region);
                return object;
            } catch (const boost::interprocess::interprocess_exception& error) {
                if (bytes / 2 >= least) continue;
                throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                                        "multiprocessing: " + std::to_string(bytes >> 20) +
                                            " MiB of address space for shared memory could " + "not be had (" +
                                            error.what() + "); is `ulimit -v` set?");
            }
        }
    }

    std::byte* base() const noexcept { return static_cast<std::byte*>(region_.get_address()); }
    SpaceHeader& header() const noexcept { return *reinterpret_cast<SpaceHeader*>(base()); }
    std::atomic<std::uint32_t>& mailbox(Incarnation owner) noexcept {
        return header().returned[owner % SpaceHeader::mailboxes];
    }

    /// The first run of `count` extents, from `at` on and ending by `limit`, whose owner words are 0; those past the
    /// high water mark count as free.
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
            // Committed before anybody can take them: so a commit that fails leaves nothing behind, and all that lies
            // below the mark can be read, whatever its owner had come to before it was killed.
            commit_table(used, first + count);
            const std::uint64_t from = (std::max)(used, first_extent());
            platform::commit(base() + from * extent_bytes, (first + count - from) * extent_bytes);
            while (used < first + count &&
                   !header().high_water.compare_exchange_weak(used, first + count, std::memory_order_acq_rel)) {
            }
        }
        for (std::uint64_t i = first; i < first + count; ++i) {
            Incarnation nobody = 0;
            // Killed here: the extents so far bear our name and no shape; the sweep after our death frees them.
            if (extent(i).owner.compare_exchange_strong(nobody, owner, std::memory_order_acq_rel)) continue;
            while (i-- > first) extent(i).owner.store(0, std::memory_order_release);
            return false;
        }
        return true;
    }

    void commit_table(std::uint64_t begin, std::uint64_t end) {
        platform::commit(&extent(begin), (end - begin) * sizeof(Extent));
    }

    Region region_; // before the object, whose making fills it
    platform::MemoryObject object_;
    std::optional<platform::Parking> parking_;
};

} // namespace multiprocessing::inline v1::detail
