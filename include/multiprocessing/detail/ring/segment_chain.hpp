#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file segment_chain.hpp  The memory of a ring: segments in a row, filled once, used again when
/// they are drained.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Keeps the compiler from moving stores across it: a kill has to find the steps of a process done
/// in the order in which they are written.
MULTIPROCESSING_INLINE void in_this_order() noexcept;

/// The head of a segment; records follow.
struct Segment {
    Position next;       ///< 0: there is none yet.
    std::uint64_t bytes; ///< In all.
    std::uint64_t last;  ///< Number of the last record in it, as soon as there is a next.
};

/// Lies in the Space; all zero is one without memory. Only for the holder of the lock of the ring's
/// putting end.
///
/// The extents bear a name of the ring's own as their owner, never that of a process: when a
/// process dies, its items stay. The name counts as a descendant of the process that made the ring;
/// so what is left when that has died with all its descendants, which alone can have a handle, goes
/// the way of their memory.
///
/// What is reachable from the oldest segment is in use. A kill between taking memory and linking
/// it, or between unlinking it and giving it back, leaves extents that are not: sweep() finds them,
/// after each death of a holder of the lock.
class SegmentChain {
public:
    /// Where the first record of a segment is. Its payload then begins at a cache line.
    static constexpr std::uint64_t first_record = 56;

    /// Returns the oldest segment, drained or not; 0 if there was never one.
    Position oldest() const noexcept { return oldest_; }

    /// Returns whether trim() may have something to do. May be asked by anybody.
    bool is_long() const noexcept;

    /// Returns what the segments up to `tail` have that are not drained.
    std::uint64_t unread_bytes(Space& space, Position tail, std::uint64_t consumed) const;

    /// Appends a segment with room for `needed` bytes of records behind `tail` (0: as the first),
    /// whose last record is number `last`. Of the records `consumed` have been taken. Throws
    /// `std::system_error` if there is no memory.
    Position extend(Space& space, Incarnation maker, Position tail, std::uint64_t last, std::uint64_t needed,
                    std::uint64_t consumed);

    /// Gives back drained segments, but for a few that stay warm: a fresh page costs a hundred
    /// times its copy.
    void trim(Space& space, Position tail, std::uint64_t consumed);

    /// Gives back the pages of large memory that is kept for the next records, but not its extents:
    /// all records have been taken.
    void discard_content(Space& space, Position tail) noexcept;
    /// Notes that a record is being written. (No store at each: other processes read what lies
    /// beside.)
    void touch_content() noexcept {
        if (discarded_) discarded_ = false;
    }

    /// Gives back what is not reachable, after a process has died with the lock. The records end in
    /// `tail`. Takes no memory, as the process that finds the dead one may have none.
    void sweep(Space& space, Position tail) noexcept;

    /// Sets the name that its extents will bear, if there is one already; called once, when the
    /// ring is made.
    void open(Incarnation name) noexcept { name_ = name; }
    /// Ends the chain: no process uses the ring any more. `is_whole`: all that it has is in the
    /// chain, as no process died with the lock; else all extents there are have to be looked at,
    /// and that for each of many rings. Returns the name, which is free to be used again.
    Incarnation end(Space& space, bool is_whole) noexcept;

private:
    static constexpr std::uint64_t standard = 4 * Space::extent_bytes; // about a quarter of a core's cache
    static constexpr std::uint32_t most_kept = 8;
    static constexpr std::uint64_t most_bytes_kept = std::uint64_t{80} << 20; // one item of 64 MiB
    static constexpr std::uint64_t checked_every = std::uint64_t{16} << 20;

    /// Returns a length rounded so that segments fit each other's place.
    static std::uint64_t length_for(std::uint64_t bytes);

    /// Calls `look(segment)` for those, from the oldest on, that nobody will look into again: a
    /// later one has been read from.
    template <class Look>
    void for_each_drained(Space& space, Position tail, std::uint64_t consumed, Look look) const {
        for (Position at = oldest_; at && at != tail;) {
            Segment& segment = space.at<Segment>(at);
            if (segment.last >= consumed) return;
            at = segment.next;
            look(segment);
        }
    }

    /// Takes the drained segment of about that size that was in use last out of the chain; 0 if
    /// there is none.
    Position reuse(Space& space, Position tail, std::uint64_t bytes, std::uint64_t consumed);

    Position allocate(Space& space, Incarnation maker, std::uint64_t bytes);

    void drop(Space& space, Position position, std::uint64_t bytes);

    /// Keeps the extents with that mark.
    void free_all_but(Space& space, std::uint32_t mark) noexcept;

    Position oldest_ = 0;
    std::uint64_t unchecked_ = 0; // bytes taken since the last look at what the machine has left
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint32_t> count_{0};
    Incarnation name_ = 0;
    std::uint32_t sweeps_ = 0;
    bool discarded_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/space/memory_check.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

MULTIPROCESSING_INLINE bool SegmentChain::is_long() const noexcept {
    return count_.load(std::memory_order_relaxed) > most_kept ||
           bytes_.load(std::memory_order_relaxed) > most_bytes_kept;
}

MULTIPROCESSING_INLINE std::uint64_t SegmentChain::unread_bytes(Space& space, Position tail,
                                                                std::uint64_t consumed) const {
    std::uint64_t drained = 0;
    for_each_drained(space, tail, consumed, [&](const Segment& segment) { drained += segment.bytes; });
    const std::uint64_t all = bytes_.load(std::memory_order_relaxed);
    return all - (std::min)(all, drained);
}

MULTIPROCESSING_INLINE Position SegmentChain::extend(Space& space, Incarnation maker, Position tail,
                                                     std::uint64_t last, std::uint64_t needed,
                                                     std::uint64_t consumed) {
    const std::uint64_t bytes = length_for(first_record + needed);
    Position fresh = reuse(space, tail, bytes, consumed);
    if (!fresh) fresh = allocate(space, maker, bytes);
    Segment& segment = space.at<Segment>(fresh);
    segment.next = 0;
    segment.last = 0;
    in_this_order();
    // Killed before it is linked: it is swept up. After: the next producer goes on in the tail,
    // and sweeps, too.
    if (tail) {
        space.at<Segment>(tail).last = last;
        space.at<Segment>(tail).next = fresh;
    } else {
        oldest_ = fresh;
    }
    if (is_long()) trim(space, fresh, consumed);
    return fresh;
}

MULTIPROCESSING_INLINE void SegmentChain::trim(Space& space, Position tail, std::uint64_t consumed) {
    std::uint64_t spare = 0;
    std::uint64_t bytes = 0;
    for_each_drained(space, tail, consumed, [&](Segment& segment) {
        ++spare;
        bytes += segment.bytes;
    });
    while (spare > 0 && (spare > most_kept || bytes_.load(std::memory_order_relaxed) > most_bytes_kept)) {
        const Position first = oldest_;
        const Segment segment = space.at<Segment>(first);
        oldest_ = segment.next;
        in_this_order();
        drop(space, first, segment.bytes);
        --spare;
    }
}

MULTIPROCESSING_INLINE void SegmentChain::discard_content(Space& space, Position tail) noexcept {
    const std::uint64_t bytes = space.at<Segment>(tail).bytes;
    if (bytes <= most_bytes_kept || discarded_) return;
    discarded_ = true;
    space.discard(tail + Space::extent_bytes, bytes - Space::extent_bytes);
}

MULTIPROCESSING_INLINE void SegmentChain::sweep(Space& space, Position tail) noexcept {
    if (tail) {
        space.at<Segment>(tail).next = 0;
    } else {
        oldest_ = 0;
    }
    // Marks differ from those of earlier sweeps: killed anywhere in here, the next one begins
    // again.
    const std::uint32_t mark = ++sweeps_;
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
    for (Position at = oldest_; at; at = space.at<Segment>(at).next) {
        const std::uint64_t length = space.at<Segment>(at).bytes;
        for (std::uint64_t i = 0; i < length / Space::extent_bytes; ++i)
            space.extent(at / Space::extent_bytes + i).state.store(mark, std::memory_order_relaxed);
        ++count;
        bytes += length;
    }
    free_all_but(space, mark);
    count_.store(count, std::memory_order_relaxed);
    bytes_.store(bytes, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE Incarnation SegmentChain::end(Space& space, bool is_whole) noexcept {
    if (is_whole) {
        for (Position at = std::exchange(oldest_, 0); at;) {
            const Segment segment = space.at<Segment>(at); // its content goes with it
            space.free_extents(at / Space::extent_bytes, segment.bytes / Space::extent_bytes);
            at = segment.next;
        }
    } else {
        free_all_but(space, ++sweeps_);
    }
    return name_;
}

MULTIPROCESSING_INLINE std::uint64_t SegmentChain::length_for(std::uint64_t bytes) {
    if (bytes <= standard) return standard;
    const std::uint64_t grain = (std::max)(Space::extent_bytes, std::bit_floor(bytes) / 8);
    return (bytes + grain - 1) / grain * grain;
}

MULTIPROCESSING_INLINE Position SegmentChain::reuse(Space& space, Position tail, std::uint64_t bytes,
                                                    std::uint64_t consumed) {
    Position* link = &oldest_;
    Position* found = nullptr;
    for_each_drained(space, tail, consumed, [&](Segment& segment) {
        if (segment.bytes >= bytes && segment.bytes <= bytes + bytes / 4) found = link;
        link = &segment.next;
    });
    if (!found) return 0;
    const Position segment = *found;
    *found = space.at<Segment>(segment).next;
    in_this_order();
    // Killed here: it is out of the chain, and swept up.
    return segment;
}

MULTIPROCESSING_INLINE Position SegmentChain::allocate(Space& space, Incarnation maker, std::uint64_t bytes) {
    unchecked_ += bytes;
    if (unchecked_ >= checked_every) {
        require_memory(bytes);
        unchecked_ = 0;
    }
    if (!name_) name_ = space.new_incarnation(maker);
    const std::uint64_t extents = bytes / Space::extent_bytes;
    const auto first = space.allocate_extents(extents, name_);
    if (!first) throw_space_full(space, bytes);
    const Position position = *first * Space::extent_bytes;
    space.at<Segment>(position).bytes = bytes;
    count_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return position;
}

MULTIPROCESSING_INLINE void SegmentChain::drop(Space& space, Position position, std::uint64_t bytes) {
    space.free_extents(position / Space::extent_bytes, bytes / Space::extent_bytes);
    count_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE void SegmentChain::free_all_but(Space& space, std::uint32_t mark) noexcept {
    if (!name_) return; // nothing was ever taken; and 0 is the owner of what is free
    const std::uint64_t end = space.high_water();
    for (std::uint64_t i = space.first_extent(); i < end; ++i) {
        const Extent& extent = space.extent(i);
        if (extent.owner.load(std::memory_order_relaxed) == name_ &&
            extent.state.load(std::memory_order_relaxed) != mark) {
            space.free_extents(i, 1);
        }
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
