#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file heap_records.hpp  What a heap notes, in private memory, of the extents that it owns.
///
/// A record is made before its extents are taken, and serves until they are given back: so freeing
/// a block, which destructors do, takes no memory.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/number_table.hpp>
#include <multiprocessing/detail/space/size_classes.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace multiprocessing::inline v1::detail {

/// A list of records that does not own them. A record has a link for each list that it may be in.
template <class Record>
struct RecordLink {
    Record* previous = nullptr;
    Record* next = nullptr;
};

template <class Record, RecordLink<Record> Record::*link>
class RecordList {
public:
    Record* front() const noexcept { return front_; }
    Record* back() const noexcept { return back_; }

    void push_front(Record& record) noexcept {
        (record.*link) = {nullptr, front_};
        (front_ ? (front_->*link).previous : back_) = &record;
        front_ = &record;
    }
    void remove(Record& record) noexcept {
        const auto [previous, next] = record.*link;
        (previous ? (previous->*link).next : front_) = next;
        (next ? (next->*link).previous : back_) = previous;
    }

private:
    Record* front_ = nullptr;
    Record* back_ = nullptr;
};

/// An extent of equal blocks, and which of them are free.
struct Slab {
    std::uint64_t extent = 0;
    std::uint32_t size_class = 0;
    std::uint32_t live = 0;
    std::uint32_t free_count = 0;
    RecordLink<Slab> with_free; // among the slabs of its class that have free blocks
    std::uint16_t free[1];      // a stack of indices, with room for all blocks

    struct Delete {
        void operator()(Slab* slab) const noexcept { ::operator delete(slab); }
    };
    using Pointer = std::unique_ptr<Slab, Delete>;

    /// Makes a slab without free blocks.
    static Pointer make(std::uint32_t size_class) {
        const std::size_t bytes = sizeof(Slab) + HeapLayout::blocks_in_slab(size_class) * sizeof(std::uint16_t);
        Pointer slab{new (::operator new(bytes)) Slab};
        slab->size_class = size_class;
        return slab;
    }
};

/// Neighbouring extents that are one block, in use or kept warm.
struct Run {
    std::uint64_t first = 0;
    std::uint32_t length = 0;
    RecordLink<Run> by_age = {};    // among the warm ones
    RecordLink<Run> by_length = {}; // among the warm ones of that length
};

/// The most that was in use at once during the last second, to an eighth of a second.
class RecentPeak {
public:
    void note(std::uint64_t live) noexcept { peaks_[now_] = (std::max)(peaks_[now_], live); }

    /// Looks at the clock: for those only that use much.
    std::uint64_t most(std::uint64_t live) noexcept {
        const auto now = std::chrono::steady_clock::now();
        if (began_ == std::chrono::steady_clock::time_point{}) began_ = now;
        const auto passed = (now - began_) / part;
        if (passed > 0) {
            for (std::int64_t i = 0; i < (std::min)(std::int64_t{passed}, std::int64_t{parts}); ++i) {
                now_ = (now_ + 1) % parts;
                peaks_[now_] = live;
            }
            began_ += passed * part;
        }
        note(live);
        return *std::max_element(peaks_.begin(), peaks_.end());
    }

private:
    static constexpr std::size_t parts = 8;
    static constexpr std::chrono::milliseconds part{125};
    std::array<std::uint64_t, parts> peaks_{};
    std::size_t now_ = 0;
    // Not yet: a child that is the first to read a clock has three pages to fault.
    std::chrono::steady_clock::time_point began_{};
};

/// The warm runs of a heap.
class WarmRuns {
public:
    std::uint64_t extents() const noexcept { return extents_; }
    Run* oldest() const noexcept { return ages_.back(); }

    void add(Run& run) noexcept {
        ages_.push_front(run);
        lengths_[place_of(run.length)].push_front(run);
        extents_ += run.length;
    }
    void remove(Run& run) noexcept {
        ages_.remove(run);
        lengths_[place_of(run.length)].remove(run);
        extents_ -= run.length;
    }

    /// Returns the best fit for a rounded length, the latest among equals; a waste of a quarter is
    /// better than fresh pages. Null if there is none.
    Run* find(std::uint64_t length) const noexcept {
        const std::size_t end = place_of(length + length / 4);
        for (std::size_t place = place_of(length); place <= end; ++place) {
            if (Run* const run = lengths_[place].front()) return run;
        }
        return nullptr;
    }

private:
    /// Rounded lengths (HeapLayout) are 1, 2, 3, 4 times a power of two, and 5, 6, 7 times.
    static std::size_t place_of(std::uint64_t length) noexcept {
        if (length < 8) return static_cast<std::size_t>(length);
        const int shift = static_cast<int>(std::bit_width(length)) - 3;
        return static_cast<std::size_t>(shift) * 4 + static_cast<std::size_t>(length >> shift);
    }

    RecordList<Run, &Run::by_age> ages_;
    std::array<RecordList<Run, &Run::by_length>, 4 * 32 + 8> lengths_;
    std::uint64_t extents_ = 0;
};

/// The extents of a heap, by number: which record each has. It owns the records of slabs, and those
/// of runs in use.
class OwnedExtents {
public:
    struct Owned {
        std::uint64_t number; ///< Of the slab's extent, or of the first of the run.
        Slab* slab;
        Run* run;
    };

    OwnedExtents() = default;
    OwnedExtents(const OwnedExtents&) = delete;
    OwnedExtents& operator=(const OwnedExtents&) = delete;
    ~OwnedExtents() {
        for_each([](const Owned& owned) {
            delete owned.run;
            if (owned.slab) Slab::Delete{}(owned.slab);
        });
    }

    std::size_t size() const noexcept { return table_.size(); }

    /// Makes room for one more, so that the next add() cannot fail.
    void expect() { table_.reserve(table_.size() + 1); }
    void add(Slab::Pointer slab) noexcept {
        const std::uint64_t number = slab->extent;
        table_.put({number, slab.release(), nullptr});
    }
    void add(std::unique_ptr<Run> run) noexcept {
        const std::uint64_t number = run->first;
        table_.put({number, nullptr, run.release()});
    }

    /// Removes a slab's extent, or a run's; the record is the caller's from here on.
    void remove(const Slab& slab) noexcept { table_.erase(slab.extent); }
    void remove(const Run& run) noexcept { table_.erase(run.first); }

    /// Returns null if no slab or run begins with that extent.
    Owned* find(std::uint64_t number) noexcept { return table_.find(number); }

    /// Calls `look(owned)` for each. It must not add or remove any.
    template <class Look>
    void for_each(Look look) const {
        table_.for_each(look);
    }

private:
    NumberTable<Owned> table_;
};

} // namespace multiprocessing::inline v1::detail
