#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file zip_range.hpp  Several ranges as one of tuples, as long as the shortest. C++23:
/// `std::views::zip`.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// An input range that is walked once. Holds what was given as an rvalue.
template <class... Range>
class ZipRange {
public:
    class Iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = std::tuple<std::ranges::range_value_t<Range>...>;
        using difference_type = std::ptrdiff_t;

        std::tuple<std::ranges::range_reference_t<Range>...> operator*() const {
            return std::apply(
                [](auto&... at) { return std::tuple<std::ranges::range_reference_t<Range>...>(*at...); },
                owner_->at_);
        }
        Iterator& operator++() {
            std::apply([](auto&... at) { (++at, ...); }, owner_->at_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return iterator.is_at_end();
        }

    private:
        friend class ZipRange;
        explicit Iterator(ZipRange& owner) : owner_(&owner) {}
        bool is_at_end() const { return owner_->is_at_end(std::index_sequence_for<Range...>{}); }
        ZipRange* owner_;
    };

    explicit ZipRange(Range&&... range) : ranges_(std::forward<Range>(range)...) {}

    Iterator begin() {
        begin_all(std::index_sequence_for<Range...>{});
        return Iterator{*this};
    }
    static std::default_sentinel_t end() noexcept { return {}; }

    std::size_t size()
        requires(std::ranges::sized_range<Range> && ...)
    {
        return std::apply(
            [](auto&... range) { return (std::min)({static_cast<std::size_t>(std::ranges::size(range))...}); },
            ranges_);
    }

private:
    template <std::size_t... Index>
    void begin_all(std::index_sequence<Index...>) {
        (std::get<Index>(at_).begin(std::get<Index>(ranges_)), ...);
    }
    template <std::size_t... Index>
    bool is_at_end(std::index_sequence<Index...>) {
        return ((std::get<Index>(at_).get() == std::ranges::end(std::get<Index>(ranges_))) || ...);
    }

    /// An iterator of an input range need not be default-constructible.
    template <class R>
    class Lazy {
    public:
        void begin(auto& range) { at_.emplace(std::ranges::begin(range)); }
        auto& get() { return *at_; }
        decltype(auto) operator*() { return **at_; }
        void operator++() { ++*at_; }

    private:
        std::optional<std::ranges::iterator_t<R>> at_;
    };

    std::tuple<Range...> ranges_; // references, where they were lvalues
    std::tuple<Lazy<Range>...> at_;
};

} // namespace multiprocessing::inline v1::detail
