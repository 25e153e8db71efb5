#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pointer_memo.hpp  Objects with several owners in one message stay one object: Python's
/// pickle memo.

#include <multiprocessing/detail/config.hpp>

#include <algorithm> // for max
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The objects that were written so far, by address.
class WrittenObjects {
public:
    enum class Answer { is_new, known, of_another_type, contains_itself };

    struct Found {
        Answer answer;
        std::uint64_t number; ///< Of a known one.
    };

    /// Returns whether the object is in the message already. If not, it has to be written now, and
    /// then done() called.
    Found find_or_add(std::shared_ptr<const void> object, std::uint64_t type) {
        if (2 * entries_.size() >= slots_.size()) grow();
        std::uint32_t& slot = slot_of(object.get());
        if (slot == empty) {
            entries_.push_back({type, std::move(object)});
            slot = static_cast<std::uint32_t>(entries_.size() - 1);
            return {Answer::is_new, slot};
        }
        const Entry& entry = entries_[slot];
        if (entry.type != type) return {Answer::of_another_type, 0};
        if (entry.open) return {Answer::contains_itself, 0};
        return {Answer::known, slot};
    }

    void done(const void* address) { entries_[slot_of(address)].open = false; }

private:
    struct Entry {
        std::uint64_t type;
        std::shared_ptr<const void> object; // kept, else another object might come to lie at its address
        bool open = true;
    };

    static constexpr std::uint32_t empty = 0xffff'ffff;

    // The slot that holds the number of this object, or the empty one where it belongs. There
    // always is one.
    std::uint32_t& slot_of(const void* address) {
        const std::uint64_t spread = reinterpret_cast<std::uintptr_t>(address) * 0x9e37'79b9'7f4a'7c15U;
        for (std::size_t at = static_cast<std::size_t>(spread >> 32);; ++at) {
            std::uint32_t& slot = slots_[at & (slots_.size() - 1)];
            if (slot == empty || entries_[slot].object.get() == address) return slot;
        }
    }

    void grow() {
        slots_.assign(std::max<std::size_t>(2 * slots_.size(), 16), empty);
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            slot_of(entries_[i].object.get()) = static_cast<std::uint32_t>(i);
        }
    }

    // A table of our own: what the standard's costs every program to compile is more than this is
    // long.
    std::vector<Entry> entries_;       // by number
    std::vector<std::uint32_t> slots_; // numbers by address, open addressing; a power of two of them
};

/// The objects that were read so far, by number.
class ReadObjects {
public:
    /// Makes room for an object that is about to be read.
    std::size_t open(std::uint64_t type) {
        entries_.push_back({nullptr, type});
        return entries_.size() - 1;
    }

    void done(std::size_t number, std::shared_ptr<void> object) { entries_[number].object = std::move(object); }

    /// Returns null if there is no such object, it is of another type, or is being read just now.
    std::shared_ptr<void> find(std::uint64_t number, std::uint64_t type) const {
        if (number >= entries_.size()) return nullptr;
        const Entry& entry = entries_[static_cast<std::size_t>(number)];
        return entry.type == type ? entry.object : nullptr;
    }

private:
    struct Entry {
        std::shared_ptr<void> object;
        std::uint64_t type;
    };

    std::vector<Entry> entries_;
};

} // namespace multiprocessing::inline v1::detail
