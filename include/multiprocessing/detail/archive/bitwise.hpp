#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file bitwise.hpp  How a type lies in memory and in a message: may it be copied whole, how few
/// bytes can it take.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/kind.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

template <class T>
constexpr bool bitwise();

template <class T, class... Part>
constexpr bool bitwise_parts(Types<Part...>) {
    // Where the sizes do not add up there is padding, which may hold anything.
    return std::is_trivially_copyable_v<T> && (sizeof(Part) + ... + 0) == sizeof(T) && (bitwise<Part>() && ...);
}

template <class T>
constexpr bool bitwise() {
    if constexpr (std::is_same_v<T, bool>) {
        return false; // bytes from elsewhere may be neither 0 nor 1
    } else if constexpr (std::is_same_v<T, long double>) {
        return false; // has padding on x86
    } else if constexpr (kind_of<T> == Kind::number) {
        return true;
    } else if constexpr (std::is_enum_v<T>) {
        return !std::is_same_v<std::underlying_type_t<T>, bool>;
    } else if constexpr (kind_of<T> == Kind::array) {
        return []<class Element>(Types<Element>) {
            return array_extent<T> > 0 && array_extent<T> * sizeof(Element) == sizeof(T) && bitwise<Element>();
        }(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::complex_number) {
        return std::is_trivially_copyable_v<T> && sizeof(T) == 2 * sizeof(typename T::value_type) &&
               bitwise<typename T::value_type>();
    } else if constexpr (kind_of<T> == Kind::duration || kind_of<T> == Kind::time_point) {
        return detail::bitwise_parts<T>(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::aggregate) {
        if constexpr (obstacle<T>() == Obstacle::none) return detail::bitwise_parts<T>(Parts<T>{});
    }
    return false;
}

/// Free of pointers, padding and values that are not valid: its bytes are the T, and one memcpy
/// carries it across.
template <class T>
inline constexpr bool is_bitwise = bitwise<T>();

/// What is left in the message of a block that travels beside it: that it does, and where it is.
inline constexpr std::size_t size_of_placed = 1 + sizeof(std::uint64_t);

template <class T>
constexpr std::size_t smallest_size();

template <class... Part>
constexpr std::size_t smallest_size_of(Types<Part...>) {
    return (smallest_size<Part>() + ... + 0);
}

/// Returns the fewest bytes that a T takes in a message: what a claimed number of them is checked
/// against.
template <class T>
constexpr std::size_t smallest_size() {
    if constexpr (kind_of<T> == Kind::nothing || kind_of<T> == Kind::hook || kind_of<T> == Kind::handle) {
        return 0;
    } else if constexpr (is_bitwise<T>) {
        return sizeof(T) < bulk_threshold ? sizeof(T) : size_of_placed;
    } else if constexpr (kind_of<T> == Kind::number || kind_of<T> == Kind::enumeration) {
        return sizeof(T);
    } else if constexpr (kind_of<T> == Kind::array) {
        return array_extent<T> * detail::smallest_size_of(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::tuple || kind_of<T> == Kind::partial ||
                         kind_of<T> == Kind::aggregate || kind_of<T> == Kind::complex_number) {
        return (kind_of<T> == Kind::complex_number ? 2 : 1) * detail::smallest_size_of(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::duration || kind_of<T> == Kind::time_point) {
        return detail::smallest_size_of(Parts<T>{});
    } else {
        return 1; // a length, an index, or whether there is anything
    }
}

} // namespace multiprocessing::inline v1::detail
