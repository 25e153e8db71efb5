#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tape.hpp  The results of a chunk, record by record: written by the workers that have it,
/// read by the parent while they go on.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace multiprocessing::inline v1::detail {

// A tape is a list of segments. A segment is a block of its writer's heap, and the parent's from
// the moment when it is handed over, before a record is told of. A record exists once `used` is
// past it, and counts once its item has ended (ItemizedChunk::progress): a worker that dies in
// between leaves one record too many, which the parent cuts off.

struct TapeRecord {
    std::uint64_t item;
    std::uint32_t bytes; ///< Of the message behind it, if it is not in a block.
    OutcomeKind kind;
    Parcel block; ///< A block as write_outcome() makes it, of a message that is large or refers to others.

    std::span<const std::byte> message() const;
    static constexpr std::uint64_t size_with(std::uint64_t message) noexcept {
        return sizeof(TapeRecord) + (message + 7) / 8 * 8;
    }
    std::uint64_t size() const noexcept { return size_with(block.block ? 0 : bytes); }
};
static_assert(sizeof(TapeRecord) == 32);

struct TapeSegment {
    OutcomeHead head; ///< Of nothing: the parent frees a segment that nothing refers to as any such block.
    std::atomic<Position> next;
    std::atomic<std::uint64_t> used; ///< Bytes of records.

    std::byte* records() noexcept;
    TapeRecord& record(std::uint64_t at) noexcept;
};

/// Reads a tape from its beginning, also while it grows.
class TapeReader {
public:
    explicit TapeReader(const std::atomic<Position>& tape) : tape_(&tape) {}
    explicit TapeReader(const ItemizedChunk& chunk) : TapeReader(chunk.tape) {}

    /// The record of `item`; null if there is none. Items are asked for in ascending order, each
    /// when it has ended: what is there then stays.
    TapeRecord* find(std::uint64_t item);

    /// Calls `visit(record)` for all.
    template <class Visit>
    void for_each(Visit visit) {
        for (TapeRecord* record = peek(); record; record = peek()) {
            visit(*record);
            offset_ += record->size();
        }
    }

    /// Takes away what stands from here on; nobody writes to the tape.
    void cut();

private:
    TapeRecord* peek();

    const std::atomic<Position>* tape_; // where the first segment is named
    TapeSegment* segment_ = nullptr;
    std::uint64_t offset_ = 0;
};

/// Frees a tape that nobody writes to or reads from.
MULTIPROCESSING_INLINE void free_tape(std::atomic<Position>& tape);

/// Whether a tape refers to that block.
MULTIPROCESSING_INLINE bool tape_refers_to(const std::atomic<Position>& tape, Position block);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/space/process_tree.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::span<const std::byte> TapeRecord::message() const {
    if (block.block) return outcome_message(block);
    return {reinterpret_cast<const std::byte*>(this + 1), bytes};
}

MULTIPROCESSING_INLINE std::byte* TapeSegment::records() noexcept {
    return reinterpret_cast<std::byte*>(this + 1);
}

MULTIPROCESSING_INLINE TapeRecord& TapeSegment::record(std::uint64_t at) noexcept {
    return *reinterpret_cast<TapeRecord*>(records() + at);
}

MULTIPROCESSING_INLINE TapeRecord* TapeReader::find(std::uint64_t item) {
    for (TapeRecord* record = peek(); record; record = peek()) {
        if (record->item >= item) return record->item == item ? record : nullptr;
        offset_ += record->size();
    }
    return nullptr;
}

MULTIPROCESSING_INLINE void TapeReader::cut() {
    for (TapeRecord* record = peek(); record; record = peek()) {
        free_outcome(record->block);
        segment_->used.store(offset_, std::memory_order_relaxed);
    }
}

MULTIPROCESSING_INLINE TapeRecord* TapeReader::peek() {
    for (;;) {
        if (segment_ && offset_ < segment_->used.load(std::memory_order_acquire))
            return &segment_->record(offset_);
        const Position next =
            segment_ ? segment_->next.load(std::memory_order_acquire) : tape_->load(std::memory_order_acquire);
        if (next == 0) return nullptr;
        // A segment is followed by another only when nothing more comes into it. It may have
        // got its last record since it was looked at.
        if (segment_ && offset_ < segment_->used.load(std::memory_order_acquire)) continue;
        segment_ = &tree().space.at<TapeSegment>(next);
        offset_ = 0;
    }
}

MULTIPROCESSING_INLINE void free_tape(std::atomic<Position>& tape) {
    TapeReader{tape}.for_each([](const TapeRecord& record) { free_outcome(record.block); });
    TreeMember& member = tree();
    for (Position at = tape.exchange(0, std::memory_order_relaxed); at != 0;) {
        const Position next = member.space.at<TapeSegment>(at).next.load(std::memory_order_relaxed);
        member.heap.free(at);
        at = next;
    }
}

MULTIPROCESSING_INLINE bool tape_refers_to(const std::atomic<Position>& tape, Position block) {
    bool refers = false;
    TapeReader{tape}.for_each(
        [&](const TapeRecord& record) { refers = refers || record.block.block == block; });
    for (Position at = tape.load(std::memory_order_acquire); at != 0 && !refers;
         at = tree().space.at<TapeSegment>(at).next.load(std::memory_order_acquire))
        refers = at == block;
    return refers;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
