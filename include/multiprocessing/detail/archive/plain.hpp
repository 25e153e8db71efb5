#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file plain.hpp  Types whose bytes mean the same in every process of a tree.

#include <multiprocessing/detail/archive/kind.hpp>
#include <multiprocessing/detail/config.hpp>

#include <type_traits>

namespace multiprocessing::inline v1::detail {

template <class T>
constexpr bool plain();

template <class... Part>
constexpr bool plain_parts(Types<Part...>) {
    return (plain<Part>() && ...);
}

template <class T>
constexpr bool plain() {
    if constexpr (!std::is_trivially_copyable_v<T>) {
        return false;
    } else if constexpr (kind_of<T> == Kind::number || kind_of<T> == Kind::enumeration ||
                         kind_of<T> == Kind::complex) {
        return true;
    } else if constexpr (kind_of<T> == Kind::array || kind_of<T> == Kind::duration ||
                         kind_of<T> == Kind::time_point) {
        return detail::plain_parts(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::aggregate) {
        if constexpr (obstacle<T>() == Obstacle::none) return detail::plain_parts(Parts<T>{});
    }
    return false;
}

/// Trivially copyable and without pointers: may lie in memory that processes share, and be copied there as it is. Unlike
/// is_bitwise it allows padding, which never leaves the tree, and bool, which nobody forges there.
template <class T>
inline constexpr bool is_plain = plain<T>();

} // namespace multiprocessing::inline v1::detail
