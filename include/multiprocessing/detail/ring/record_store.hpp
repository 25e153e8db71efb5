#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file record_store.hpp  Where the records of a ring lie in its segments, one behind the other.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/ring/ends.hpp>
#include <multiprocessing/detail/ring/segment_chain.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space, on lines that the putting end writes, and only when it goes to another place.
/// A record is its head and its bytes; behind the last one of a segment stands a sentinel that says
/// where it goes on.
///
/// All of this is for the holder of the putting end, but for what says otherwise.
class alignas(64) RecordStore {
public:
    /// The count of an end.
    using Count = std::atomic<std::uint64_t>;

    /// See Ring::open() and end().
    void open(Incarnation maker, Incarnation name) noexcept;
    Incarnation end(Space& space, bool is_whole) noexcept { return chain_.end(space, is_whole); }

    static constexpr std::uint64_t length_of(std::uint64_t bytes) {
        return head_bytes + (bytes + head_bytes - 1) / head_bytes * head_bytes;
    }
    /// Returns what stands before the bytes of a record: how many they are, stamped. Called by any
    /// process that knows of the record. Acquire: what is looked at afterwards, the draft, is no
    /// older than the head, whichever process wrote that.
    static std::uint64_t head_at(Space& space, const RingCursor& at);
    static void set_head(Space& space, const RingCursor& at, std::uint64_t head);
    static std::byte* content_at(Space& space, const RingCursor& at);
    static std::span<const std::byte> bytes_at(Space& space, const RingCursor& at);

    /// Returns whether a record of `length` has room behind the one that ends `at`.
    bool fits(Space& space, const RingCursor& at, std::uint64_t length, const Count& taken) {
        return at.segment && at.offset + length <= end_of(space, at, taken);
    }

    /// Returns where record number `produced`, of `length`, is to be written; `at` is where the
    /// last one ends. Publishes nothing.
    RingCursor place_for(Space& space, const RingCursor& at, std::uint64_t produced, std::uint64_t length,
                         const Count& taken);

    /// Finds the next record, number `consumed`, and returns whether it is in another place than
    /// `at`, behind the last one; sets `at` then. Called by the holder of the taking end.
    bool find(Space& space, RingCursor& at, std::uint64_t consumed) const;

    /// Returns what the segments up to `tail` have that is not taken.
    std::uint64_t unread_bytes(Space& space, Position tail, std::uint64_t consumed) const {
        return chain_.unread_bytes(space, tail, consumed);
    }
    /// Returns whether trim() may have something to do. May be asked by anybody.
    bool is_long() const noexcept { return chain_.is_long(); }
    /// Gives back what is drained but for a little; `is_empty`: also most of the last segment.
    void trim(Space& space, Position tail, std::uint64_t consumed, bool is_empty);
    /// Finds what a dead writer had in hand. The records end in `tail`.
    void sweep(Space& space, Position tail) noexcept { chain_.sweep(space, tail); }

private:
    // Instead of a size: go on in the next segment; or at the beginning of this one.
    static constexpr std::uint64_t jump = ~std::uint64_t{0};
    static constexpr std::uint64_t rewind = jump - 1;
    static constexpr std::uint64_t head_bytes = sizeof(std::uint64_t);

    /// Where the last rewind is written, and how many records came before.
    struct Marker {
        Position segment;
        std::uint64_t offset;
        std::uint64_t count;
    };

    /// Returns how far records may be written in the segment of `at`. Room for a jump always stays.
    std::uint64_t end_of(Space& space, const RingCursor& at, const Count& taken);

    Marker marker_{};
    SegmentChain chain_;
    Incarnation maker_ = 0;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/ring/partial_record.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void RecordStore::open(Incarnation maker, Incarnation name) noexcept {
    maker_ = maker;
    chain_.open(name);
}

MULTIPROCESSING_INLINE std::uint64_t RecordStore::head_at(Space& space, const RingCursor& at) {
    return std::atomic_ref(space.known<std::uint64_t>(at.segment + at.offset)).load(std::memory_order_acquire);
}

MULTIPROCESSING_INLINE void RecordStore::set_head(Space& space, const RingCursor& at, std::uint64_t head) {
    std::atomic_ref(space.known<std::uint64_t>(at.segment + at.offset)).store(head, std::memory_order_release);
}

MULTIPROCESSING_INLINE std::byte* RecordStore::content_at(Space& space, const RingCursor& at) {
    return &space.known<std::byte>(at.segment + at.offset + head_bytes);
}

MULTIPROCESSING_INLINE std::span<const std::byte> RecordStore::bytes_at(Space& space, const RingCursor& at) {
    return {content_at(space, at), static_cast<std::size_t>(Draft::bytes_of(head_at(space, at)))};
}

MULTIPROCESSING_INLINE RingCursor RecordStore::place_for(Space& space, const RingCursor& at,
                                                         std::uint64_t produced, std::uint64_t length,
                                                         const Count& taken) {
    space.catch_up();
    chain_.touch_content();
    if (fits(space, at, length, taken)) return at;
    const std::uint64_t consumed = taken.load(std::memory_order_acquire);
    RingCursor next{at.segment, SegmentChain::first_record};
    // Where all was taken it begins again in the same segment, which is the warmest memory
    // there is. The next record is found by the marker, so nothing may be written over that
    // until it has been read.
    if (at.segment && consumed == produced && next.offset + length <= at.offset) {
        // Killed before it is complete: it is no marker, and nobody has begun again. Any older
        // one was read long ago.
        marker_.segment = 0;
        in_this_order();
        marker_.offset = at.offset;
        marker_.count = produced;
        in_this_order();
        marker_.segment = at.segment;
        set_head(space, at, rewind);
    } else {
        next.segment = chain_.extend(space, maker_, at.segment, produced, length + head_bytes, consumed);
        // An unread marker has to stay: a reader that comes there a second time takes it for a
        // jump. (A marker whose record was never put was left by a writer that died: no reader
        // looks for it.)
        const bool at_marker =
            marker_.segment == at.segment && marker_.offset == at.offset && marker_.count != produced;
        if (at.segment && !at_marker) set_head(space, at, jump);
    }
    return next;
}

MULTIPROCESSING_INLINE bool RecordStore::find(Space& space, RingCursor& at, std::uint64_t consumed) const {
    space.catch_up();
    if (!at.segment) at = {chain_.oldest(), SegmentChain::first_record};
    const std::uint64_t head = head_at(space, at);
    if (head < rewind) return false;
    const bool here = head == rewind && consumed == marker_.count;
    at = {here ? at.segment : space.known<Segment>(at.segment).next, SegmentChain::first_record};
    return true;
}

MULTIPROCESSING_INLINE void RecordStore::trim(Space& space, Position tail, std::uint64_t consumed,
                                              bool is_empty) {
    chain_.trim(space, tail, consumed);
    if (is_empty) chain_.discard_content(space, tail);
}

MULTIPROCESSING_INLINE std::uint64_t RecordStore::end_of(Space& space, const RingCursor& at,
                                                         const Count& taken) {
    if (marker_.segment == at.segment) {
        if (taken.load(std::memory_order_acquire) <= marker_.count) return marker_.offset;
        marker_.segment = 0; // it was read
    }
    return space.known<Segment>(at.segment).bytes - head_bytes;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
