#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  What all options have in common: how a count is written.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// How many of something: implicit from any integer type but `bool`, not from floating point.
///
/// 0 is "the default" wherever a Count is taken. A negative number throws `std::invalid_argument` where it
/// is written, not where it is used.
class Count {
public:
    constexpr Count() noexcept = default;

    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    constexpr Count(Integer number) : value_(checked(number)) {}

    template <class Number>
        requires std::floating_point<Number> || std::same_as<Number, bool>
    Count(Number) = delete; // a count is an integer: cast it if it is meant

    constexpr std::size_t value() const noexcept { return value_; }
    /// The number, or `fallback` where it is 0.
    constexpr std::size_t value_or(std::size_t fallback) const noexcept { return value_ ? value_ : fallback; }

    friend constexpr bool operator==(Count, Count) noexcept = default;

private:
    template <class Integer>
    static constexpr std::size_t checked(Integer number) {
        if (std::cmp_less(number, 0)) {
            throw std::invalid_argument("multiprocessing::Count: " + std::to_string(number) +
                                        " is negative; give 0 for the default, or a positive number");
        }
        if (std::cmp_greater(number, (std::numeric_limits<std::size_t>::max)())) {
            throw std::invalid_argument("multiprocessing::Count: " + std::to_string(number) + " is too large");
        }
        return static_cast<std::size_t>(number);
    }

    std::size_t value_ = 0;
};

} // namespace multiprocessing::inline v1
