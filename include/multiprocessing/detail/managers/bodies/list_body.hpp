#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file list_body.hpp  A managed list, in the server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Where a slice begins and ends, as in Python: negative counts from the end, nothing is out of
/// range.
struct ListSlice {
    std::optional<std::int64_t> begin = {};
    std::optional<std::int64_t> end = {};
    std::int64_t step = 1;
};

/// A list as Python's. An index may be negative, then it counts from the end. Each method is one
/// step for its clients.
template <class T>
class ListBody {
public:
    using multiprocessing_brief = void;
    using Index = std::int64_t;

    ListBody() = default;
    explicit ListBody(std::vector<T> items) : items_(std::move(items)) {}

    T at(Index index) const { return items_[place(index)]; }
    void set(Index index, T value) { items_[place(index)] = std::move(value); }
    void append(T value) { items_.push_back(std::move(value)); }
    void extend(std::vector<T> values) {
        items_.insert(items_.end(), std::make_move_iterator(values.begin()),
                      std::make_move_iterator(values.end()));
    }
    void repeat(Index times) {
        if (items_.empty()) return; // however often
        std::vector<T> result;
        if (times > 0) { // refused at once if there is no memory for it
            if (std::cmp_greater(times, result.max_size() / items_.size()))
                throw std::length_error("multiprocessing: a list cannot be so long");
            result.reserve(items_.size() * static_cast<std::size_t>(times));
        }
        for (Index i = 0; i < times; ++i) result.insert(result.end(), items_.begin(), items_.end());
        items_ = std::move(result);
    }
    /// Before the index, or at the end that is nearest to it.
    void insert(Index index, T value) { items_.insert(items_.begin() + bound(index), std::move(value)); }
    T pop(Index index) {
        if (items_.empty()) throw std::out_of_range("multiprocessing: pop() of an empty list");
        const auto at = items_.begin() + static_cast<std::ptrdiff_t>(place(index));
        T value = std::move(*at);
        items_.erase(at);
        return value;
    }
    void erase(Index index) { items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(place(index))); }
    std::size_t size() const { return items_.size(); }
    void clear() { items_.clear(); }
    std::vector<T> copy() const { return items_; }
    void reverse() { std::reverse(items_.begin(), items_.end()); }

    // Of a T that compares.
    void remove(const T& value) {
        const auto found = std::find(items_.begin(), items_.end(), value);
        if (found == items_.end())
            throw std::invalid_argument("multiprocessing: remove(x): x is not in the list");
        items_.erase(found);
    }
    std::size_t index(const T& value) const {
        const auto found = std::find(items_.begin(), items_.end(), value);
        if (found == items_.end())
            throw std::invalid_argument("multiprocessing: index(x): x is not in the list");
        return static_cast<std::size_t>(found - items_.begin());
    }
    std::size_t count(const T& value) const {
        return static_cast<std::size_t>(std::count(items_.begin(), items_.end(), value));
    }
    bool contains(const T& value) const {
        return std::find(items_.begin(), items_.end(), value) != items_.end();
    }

    void sort() { std::stable_sort(items_.begin(), items_.end()); }
    template <class Less>
    void sort_by_order(Less less) {
        std::stable_sort(items_.begin(), items_.end(), less);
    }
    template <class Key>
    void sort_by(Key key) {
        std::stable_sort(items_.begin(), items_.end(), [&](const T& a, const T& b) { return key(a) < key(b); });
    }

    std::vector<T> slice(ListSlice range) const {
        std::vector<T> result;
        for (const std::size_t i : places(range)) result.push_back(items_[i]);
        return result;
    }
    /// A range of step 1 may become longer or shorter.
    void set_slice(ListSlice range, std::vector<T> values) {
        if (range.step == 1) {
            const std::ptrdiff_t begin = bound(range.begin.value_or(0));
            const std::ptrdiff_t end = (std::max)(begin, range.end ? bound(*range.end) : length());
            std::vector<T> rest(std::make_move_iterator(items_.begin() + end),
                                std::make_move_iterator(items_.end()));
            items_.erase(items_.begin() + begin, items_.end());
            extend(std::move(values));
            extend(std::move(rest));
            return;
        }
        const auto at = places(range);
        if (at.size() != values.size())
            throw std::invalid_argument(
                "multiprocessing: set_slice(): the slice has another length than the values");
        for (std::size_t i = 0; i < at.size(); ++i) items_[at[i]] = std::move(values[i]);
    }
    void erase_slice(ListSlice range) {
        auto at = places(range);
        std::sort(at.begin(), at.end(), std::greater<>{});
        for (const std::size_t i : at) items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(i));
    }

    template <Compound Operation, class Operand>
    T compound(Index index, const Operand& operand) {
        T value = items_[place(index)];
        apply_compound<Operation>(value, operand);
        items_[place(index)] = value;
        return value;
    }
    template <class F, class... A>
    auto update_with(Index index, F function, A... arguments) {
        return function(items_[place(index)], std::move(arguments)...);
    }

private:
    std::ptrdiff_t length() const { return static_cast<std::ptrdiff_t>(items_.size()); }
    std::size_t place(Index index) const {
        const Index from_begin = index < 0 ? index + length() : index;
        if (from_begin < 0 || from_begin >= length())
            throw std::out_of_range("multiprocessing: a list has no such index");
        return static_cast<std::size_t>(from_begin);
    }
    /// Between 0 and the length.
    std::ptrdiff_t bound(Index index) const {
        const Index from_begin = index < 0 ? index + length() : index;
        return static_cast<std::ptrdiff_t>(std::clamp<Index>(from_begin, 0, length()));
    }
    std::vector<std::size_t> places(const ListSlice& range) const {
        if (range.step == 0) throw std::invalid_argument("multiprocessing: the step of a slice is zero");
        std::vector<std::size_t> result;
        // A step beyond the length is as one of the length; a sum with it could overflow.
        const Index step = std::clamp<Index>(range.step, -length() - 1, length() + 1);
        if (range.step > 0) {
            const Index end = range.end ? bound(*range.end) : length();
            for (Index i = bound(range.begin.value_or(0)); i < end; i += step)
                result.push_back(static_cast<std::size_t>(i));
        } else {
            const auto clipped = [&](Index index) {
                return std::clamp<Index>(index < 0 ? index + length() : index, -1, length() - 1);
            };
            const Index end = range.end ? clipped(*range.end) : -1;
            for (Index i = range.begin ? clipped(*range.begin) : length() - 1; i > end; i += step)
                result.push_back(static_cast<std::size_t>(i));
        }
        return result;
    }

    std::vector<T> items_;
};

} // namespace multiprocessing::inline v1::detail
