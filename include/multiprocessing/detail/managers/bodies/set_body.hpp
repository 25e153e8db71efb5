#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file set_body.hpp  A managed set, in the server.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

enum class SetOperation { unite, intersect, subtract, differ };

/// A set of elements that `<` orders. Each method is one step for its clients.
template <class T>
class SetBody {
public:
    using multiprocessing_brief = void;

    SetBody() = default;
    explicit SetBody(std::vector<T> items) : items_(items.begin(), items.end()) {}

    bool add(T value) { return items_.insert(std::move(value)).second; }
    bool discard(const T& value) { return items_.erase(value) != 0; }
    void remove(const T& value) {
        if (!discard(value)) throw std::out_of_range("multiprocessing: remove(x): x is not in the set");
    }
    T pop() {
        if (items_.empty()) throw std::out_of_range("multiprocessing: pop() of an empty set");
        return std::move(items_.extract(items_.begin()).value());
    }
    bool contains(const T& value) const { return items_.count(value) != 0; }
    std::size_t size() const { return items_.size(); }
    void clear() { items_.clear(); }
    std::set<T> copy() const { return items_; }

    void update(SetOperation operation, const std::set<T>& other) { items_ = combined(operation, other); }
    std::set<T> combined(SetOperation operation, const std::set<T>& other) const {
        std::vector<T> result;
        const auto with = [&](auto algorithm) {
            algorithm(items_.begin(), items_.end(), other.begin(), other.end(), std::back_inserter(result));
        };
        switch (operation) {
        case SetOperation::unite: with([](auto... a) { std::set_union(a...); }); break;
        case SetOperation::intersect: with([](auto... a) { std::set_intersection(a...); }); break;
        case SetOperation::subtract: with([](auto... a) { std::set_difference(a...); }); break;
        case SetOperation::differ: with([](auto... a) { std::set_symmetric_difference(a...); }); break;
        }
        return {result.begin(), result.end()};
    }
    bool holds_all_of(const std::set<T>& other) const {
        return std::includes(items_.begin(), items_.end(), other.begin(), other.end());
    }
    bool is_part_of(const std::set<T>& other) const {
        return std::includes(other.begin(), other.end(), items_.begin(), items_.end());
    }
    bool is_apart_from(const std::set<T>& other) const {
        return std::none_of(other.begin(), other.end(), [&](const T& value) { return contains(value); });
    }

private:
    std::set<T> items_;
};

} // namespace multiprocessing::inline v1::detail
