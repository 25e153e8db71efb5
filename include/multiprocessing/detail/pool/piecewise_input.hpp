#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file piecewise_input.hpp  An input range that is read while the results of its elements are
/// taken.

#include <multiprocessing/detail/config.hpp>

#include <optional>
#include <ranges>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// An input range that is read piece by piece, never further than it has to be: an increment may
/// read, so it waits until the next element is wanted.
template <class Range>
class PiecewiseInput {
public:
    using Reference = std::ranges::range_reference_t<Range>;

    explicit PiecewiseInput(Range&& range) : range_(std::forward<Range>(range)) {}

    bool at_end() {
        if (!at_) {
            at_.emplace(std::ranges::begin(range_));
        } else if (std::exchange(is_behind_, false)) {
            ++*at_;
        }
        return *at_ == std::ranges::end(range_);
    }
    auto& range() noexcept { return range_; }

    /// The element; at_end() has said that there is one.
    Reference element() {
        is_behind_ = true;
        return **at_;
    }

private:
    Range range_; // a reference, if it was an lvalue
    std::optional<std::ranges::iterator_t<Range>> at_;
    bool is_behind_ = false; // the element was taken, and the iterator still stands at it
};

} // namespace multiprocessing::inline v1::detail
