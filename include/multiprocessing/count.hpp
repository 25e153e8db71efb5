#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file count.hpp  Count: how options take a number of things.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// An integer that is meant as a number: neither `bool` nor a character.
template <class T>
concept Number =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

} // namespace detail

/// A number of things: converts from any integer type but `bool` and characters, not from floating
/// point.
///
/// 0 means the default wherever a Count is taken. A negative number throws `std::invalid_argument`
/// at the conversion, not at the use.
class Count {
public:
    constexpr Count() noexcept = default;

    template <detail::Number Integer>
    constexpr Count(Integer number) : value_(checked(number)) {}

    template <class Other>
        requires(std::is_arithmetic_v<Other> && !detail::Number<Other>)
    Count(Other) = delete; // a count is an integer: cast it if it is meant

    constexpr std::size_t value() const noexcept { return value_; }
    /// Returns the number, or `fallback` if it is 0.
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
