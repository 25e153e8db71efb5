#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file partial_record.hpp  How much there is of a large record that is still being put: the
/// consumer begins to copy meanwhile.

#include <multiprocessing/detail/config.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is none. So a large record crosses in the time of one copy and not
/// of two.
///
/// Each attempt to put one has a number, the stamp, which also stands in the record's head. **What
/// a kill can do.** A draft whose writer died stays as it is. A reader that follows it waits, as it
/// would wait for any record; and when one comes it sees by the stamp whether it is the one it has
/// copied from. If not, it throws away what it has, and begins again. The process that sweeps up
/// behind the dead one drops the draft first.
class Draft {
public:
    /// Smaller records are put at once.
    static constexpr std::uint64_t least_bytes = std::uint64_t{512} << 10;
    /// What is written before that is told, and a multiple of it each time.
    static constexpr std::uint64_t part_bytes = std::uint64_t{64} << 10;

    struct Seen {
        std::uint64_t stamp; ///< 0: there is no draft of that record.
        std::uint64_t bytes; ///< Written so far, and not 0 where there is a draft.
    };

    /// Begins the draft of record number `record`, and returns its stamp. Called by the holder of
    /// the putting end.
    std::uint64_t begin(std::uint64_t record) noexcept;
    /// Ends a draft whose writer is dead: no reader follows it any more. Called before any of its
    /// memory is used again. A reader that has read a head since, and then still sees the draft,
    /// has read the right one.
    void drop() noexcept;
    /// Publishes that `bytes` bytes are there.
    void grow(std::uint64_t stamp, std::uint64_t bytes) noexcept;

    /// Returns what there is of record number `record`.
    Seen look(std::uint64_t record) const noexcept;

    /// Returns a record's head: how many bytes it has, and the stamp of the attempt that put it, 0
    /// for those put at once.
    static constexpr std::uint64_t stamped(std::uint64_t stamp, std::uint64_t bytes) noexcept {
        return stamp << shift | bytes;
    }
    static constexpr std::uint64_t bytes_of(std::uint64_t head) noexcept {
        return head & ((std::uint64_t{1} << shift) - 1);
    }
    static constexpr std::uint64_t stamp_of(std::uint64_t head) noexcept { return head >> shift; }

private:
    std::uint64_t next_stamp() const noexcept;

    static constexpr unsigned shift = 48;
    static constexpr std::uint64_t most_stamps = 0x7fff;

    std::atomic<std::uint64_t> record_{0}; // its number plus 1
    std::atomic<std::uint64_t> written_{0};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::uint64_t Draft::begin(std::uint64_t record) noexcept {
    const std::uint64_t stamp = next_stamp();
    written_.store(stamped(stamp, 0), std::memory_order_relaxed);
    record_.store(record + 1, std::memory_order_release); // a reader that sees it sees the new stamp
    return stamp;
}

MULTIPROCESSING_INLINE void Draft::drop() noexcept {
    written_.exchange(stamped(next_stamp(), 0), std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void Draft::grow(std::uint64_t stamp, std::uint64_t bytes) noexcept {
    // A reader that sees it sees the bytes.
    written_.store(stamped(stamp, bytes), std::memory_order_release);
}

MULTIPROCESSING_INLINE Draft::Seen Draft::look(std::uint64_t record) const noexcept {
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    if (bytes_of(written) == 0 || record_.load(std::memory_order_acquire) != record + 1) return {0, 0};
    // The number may be that of a later attempt: then its stamp is seen now.
    const bool is_same = stamp_of(written_.load(std::memory_order_relaxed)) == stamp_of(written);
    return is_same ? Seen{stamp_of(written), bytes_of(written)} : Seen{0, 0};
}

MULTIPROCESSING_INLINE std::uint64_t Draft::next_stamp() const noexcept {
    return stamp_of(written_.load(std::memory_order_relaxed)) % most_stamps + 1;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
