#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file snapshot.hpp  Iteration over what a managed container held when it began; a copy of any
/// range.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An input iterator that owns what it goes over.
template <class T>
class Snapshot {
public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = T;

    Snapshot() = default;
    explicit Snapshot(std::vector<T> items) : items_(std::make_shared<std::vector<T>>(std::move(items))) {}

    // By value where vector<bool> has no references.
    decltype(auto) operator*() const { return (*items_)[at_]; }
    Snapshot& operator++() {
        ++at_;
        return *this;
    }
    void operator++(int) { ++at_; }
    friend bool operator==(const Snapshot& iterator, std::default_sentinel_t) {
        return iterator.at_ == iterator.items_->size();
    }

private:
    std::shared_ptr<std::vector<T>> items_;
    std::size_t at_ = 0;
};

/// Returns the elements of any range, of which the iterator and the end may be of different types.
template <class T, class Range>
std::vector<T> elements_of(Range& range) {
    std::vector<T> elements;
    for (auto&& element : range) elements.emplace_back(std::forward<decltype(element)>(element));
    return elements;
}

} // namespace multiprocessing::inline v1::detail
