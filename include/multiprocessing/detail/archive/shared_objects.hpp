#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_objects.hpp  Objects with several owners in one message stay one object: Python's pickle memo.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
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

    /// Whether the object is in the message already. If not, it has to be written now, and then done() called.
    Found find_or_add(std::shared_ptr<const void> object, std::uint64_t type) {
        const void* const address = object.get();
        const auto [at, is_new] =
            entries_.try_emplace(address, Entry{entries_.size(), type, std::move(object)});
        const Entry& entry = at->second;
        if (is_new) return {Answer::is_new, entry.number};
        if (entry.type != type) return {Answer::of_another_type, 0};
        if (entry.open) return {Answer::contains_itself, 0};
        return {Answer::known, entry.number};
    }

    void done(const void* address) { entries_.at(address).open = false; }

private:
    struct Entry {
        std::uint64_t number;
        std::uint64_t type;
        std::shared_ptr<const void> object; // kept, else another object might come to lie at its address
        bool open = true;
    };

    std::unordered_map<const void*, Entry> entries_;
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

    /// Null if there is no such object, it is of another type, or is being read just now.
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
