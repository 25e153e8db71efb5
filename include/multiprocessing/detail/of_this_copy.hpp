#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file of_this_copy.hpp  State that a process has for itself, and that the copies a fork makes of
/// it begin without.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// A `T` of the calling process. In a copy that a fork made, a fresh `T` takes its place at the
/// first use; the inherited one is the other process's, so it is neither looked at nor destroyed,
/// and stays where a leak checker finds it. The owner's mutex guards it.
template <class T>
class OfThisCopy {
public:
    OfThisCopy() = default;
    OfThisCopy(const OfThisCopy&) = delete;
    OfThisCopy& operator=(const OfThisCopy&) = delete;

    /// Throws `std::bad_alloc` at the first use.
    T& get() {
        const std::uint32_t copies = count_copies();
        if (!node_ || node_->copies != copies) node_ = new Node{copies, node_, {}};
        return node_->value;
    }
    T* operator->() { return &get(); }

    /// Returns null if the process has used none.
    T* get_if_any() noexcept { return node_ && node_->copies == count_copies() ? &node_->value : nullptr; }
    /// Returns the latest: that of the process which this one is a copy of, if this one has none
    /// yet.
    T* latest() noexcept { return node_ ? &node_->value : nullptr; }

private:
    struct Node {
        std::uint32_t copies;
        Node* inherited;
        T value;
    };
    Node* node_ = nullptr;
};

} // namespace multiprocessing::inline v1::detail
