#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file extent_table.hpp  What a heap knows of the extents that it owns, by their numbers.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One extent, or the first of a run of them.
struct OwnedExtent {
    static constexpr std::uint64_t none = ~std::uint64_t{0};

    std::uint64_t number = none;
    std::uint32_t shape = 0; ///< As in Extent::shape.
    std::uint32_t live = 0;  ///< Of a slab: how many of its blocks are in use.
};

/// Open addressing, at most half full. Not a std::map: what that costs every program to compile is more than this is
/// long, and its nodes are slower than the allocator that they would serve.
class ExtentTable {
public:
    std::size_t size() const noexcept { return size_; }

    /// Null if it is not there. Valid until the table changes.
    OwnedExtent* find(std::uint64_t number) noexcept {
        if (table_.empty()) return nullptr;
        OwnedExtent& place = table_[place_of(number)];
        return place.number == number ? &place : nullptr;
    }
    bool contains(std::uint64_t number) const noexcept {
        return !table_.empty() && table_[place_of(number)].number == number;
    }

    /// Adds one, or overwrites it.
    void put(const OwnedExtent& extent) {
        if (2 * (size_ + 1) > table_.size()) grow();
        OwnedExtent& place = table_[place_of(extent.number)];
        if (place.number == OwnedExtent::none) ++size_;
        place = extent;
    }

    void erase(std::uint64_t number) noexcept {
        if (!contains(number)) return;
        const std::size_t mask = table_.size() - 1;
        std::size_t hole = place_of(number);
        table_[hole].number = OwnedExtent::none;
        --size_;
        // Whoever stands behind the hole because of who was in it, moves up.
        for (std::size_t at = (hole + 1) & mask; table_[at].number != OwnedExtent::none; at = (at + 1) & mask) {
            const std::size_t home = hash(table_[at].number) & mask;
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            table_[hole] = table_[at];
            table_[at].number = OwnedExtent::none;
            hole = at;
        }
    }

    /// Calls `look(extent)` for each. It must not change the table.
    template <class Look>
    void for_each(Look look) const {
        for (const OwnedExtent& extent : table_) {
            if (extent.number != OwnedExtent::none) look(extent);
        }
    }

private:
    static std::size_t hash(std::uint64_t number) noexcept {
        return static_cast<std::size_t>(number * 0x9e37'79b9'7f4a'7c15U >> 32);
    }

    /// Where the number stands, or the empty place where it belongs. There always is one.
    std::size_t place_of(std::uint64_t number) const noexcept {
        const std::size_t mask = table_.size() - 1;
        std::size_t at = hash(number) & mask;
        while (table_[at].number != number && table_[at].number != OwnedExtent::none) at = (at + 1) & mask;
        return at;
    }

    void grow() {
        std::vector<OwnedExtent> old(table_.empty() ? 16 : 2 * table_.size());
        old.swap(table_);
        size_ = 0;
        for (const OwnedExtent& extent : old) {
            if (extent.number != OwnedExtent::none) put(extent);
        }
    }

    std::vector<OwnedExtent> table_; // a power of two of them
    std::size_t size_ = 0;
};

} // namespace multiprocessing::inline v1::detail
