#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file number_table.hpp  Finds entries by their numbers, in private memory, and never throws
/// where room was reserved.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A hash table of `Entry`, a plain struct with `std::uint64_t number`, which is never
/// `NumberTable::none` in the table. Open addressing, at most half full. Not a std::unordered_map:
/// that costs every program more to compile than this is long, and its nodes are slower than the
/// allocator that they would serve.
template <class Entry>
class NumberTable {
public:
    static constexpr std::uint64_t none = ~std::uint64_t{0};

    std::size_t size() const noexcept { return size_; }

    /// Returns null if it is not there. Valid until the table changes.
    Entry* find(std::uint64_t number) noexcept {
        if (table_.empty()) return nullptr;
        Entry& place = table_[place_of(number)];
        return place.number == number ? &place : nullptr;
    }
    bool contains(std::uint64_t number) const noexcept {
        return !table_.empty() && table_[place_of(number)].number == number;
    }

    /// Makes room: put() does not throw until the table has `size` entries.
    void reserve(std::size_t size) {
        while (2 * size > table_.size()) grow();
    }

    /// Adds one, or overwrites it.
    void put(const Entry& entry) {
        reserve(size_ + 1);
        Entry& place = table_[place_of(entry.number)];
        if (place.number == none) ++size_;
        place = entry;
    }

    void erase(std::uint64_t number) noexcept {
        if (!contains(number)) return;
        const std::size_t mask = table_.size() - 1;
        std::size_t hole = place_of(number);
        table_[hole].number = none;
        --size_;
        // An entry that stands behind the hole because of the one that was there moves up.
        for (std::size_t at = (hole + 1) & mask; table_[at].number != none; at = (at + 1) & mask) {
            const std::size_t home = hash(table_[at].number) & mask;
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            table_[hole] = table_[at];
            table_[at].number = none;
            hole = at;
        }
    }

    /// Calls `look(entry)` for each. It must not change the table.
    template <class Look>
    void for_each(Look look) const {
        for (const Entry& entry : table_) {
            if (entry.number != none) look(entry);
        }
    }

private:
    static std::size_t hash(std::uint64_t number) noexcept {
        return static_cast<std::size_t>(number * 0x9e37'79b9'7f4a'7c15U >> 32);
    }

    /// Returns where the number stands, or the empty place where it belongs; there always is one.
    std::size_t place_of(std::uint64_t number) const noexcept {
        const std::size_t mask = table_.size() - 1;
        std::size_t at = hash(number) & mask;
        while (table_[at].number != number && table_[at].number != none) at = (at + 1) & mask;
        return at;
    }

    void grow() {
        std::vector<Entry> old(table_.empty() ? 16 : 2 * table_.size());
        for (Entry& entry : old) entry.number = none;
        old.swap(table_);
        for (const Entry& entry : old) {
            if (entry.number != none) table_[place_of(entry.number)] = entry;
        }
    }

    std::vector<Entry> table_; // a power of two of them
    std::size_t size_ = 0;
};

} // namespace multiprocessing::inline v1::detail
