#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file plain.hpp  Types whose bytes mean the same in every process of a tree.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/kind.hpp>
#include <multiprocessing/detail/types/reflection.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

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
                         kind_of<T> == Kind::complex_number) {
        return true;
    } else if constexpr (kind_of<T> == Kind::array || kind_of<T> == Kind::duration ||
                         kind_of<T> == Kind::time_point) {
        return detail::plain_parts(Parts<T>{});
    } else if constexpr (kind_of<T> == Kind::aggregate) {
        if constexpr (obstacle<T>() == Obstacle::none) return detail::plain_parts(Parts<T>{});
    }
    return false;
}

/// Trivially copyable and without pointers: may lie in memory that processes share, and be copied
/// there as it is. Unlike is_bitwise it allows padding, which never leaves the tree, and bool,
/// which nobody forges there.
template <class T>
inline constexpr bool is_plain = plain<T>();

/// The strictest alignment of blocks in the Space.
inline constexpr std::size_t block_alignment = 64;

template <class T>
constexpr bool plain_in_blocks() {
    if constexpr (is_plain<T>) {
        return alignof(T) <= block_alignment;
    } else {
        return false;
    }
}
/// Plain, and aligned in any block: arrays of it may lie there as they are.
template <class T>
inline constexpr bool is_plain_in_blocks = plain_in_blocks<T>();

template <class T>
constexpr bool shows_address();

template <class... Part>
constexpr bool some_show_address(Types<Part...>) {
    return (shows_address<Part>() || ...);
}

/// The types of all fields, where some cannot be bound to a reference: bit-fields, packed ones.
struct FieldsByValue {
    template <class... Field>
    constexpr Types<Field...> operator()(const Field&...) const {
        return {};
    }
};

/// Returns whether a T can be seen to hold an address: a pointer, a reference, or one of the
/// standard's views. Private members cannot be seen; but a class that cannot be assigned most
/// likely holds a reference.
template <class T>
constexpr bool shows_address() {
    constexpr Kind K = kind_of<std::remove_cv_t<T>>;
    if constexpr (std::is_reference_v<T> || std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                  std::is_null_pointer_v<T> || std::is_unbounded_array_v<T>) {
        return true;
    } else if constexpr (K == Kind::number || K == Kind::enumeration || K == Kind::nothing ||
                         K == Kind::bitset) {
        return false;
    } else if constexpr (K == Kind::array || K == Kind::tuple || K == Kind::optional || K == Kind::variant ||
                         K == Kind::complex_number || K == Kind::duration || K == Kind::time_point) {
        return detail::some_show_address(Parts<std::remove_cv_t<T>>{});
    } else if constexpr (K == Kind::aggregate) {
        using Class = std::remove_cv_t<T>;
        if constexpr (obstacle<Class>() == Obstacle::none) {
            return detail::some_show_address(Parts<Class>{});
        } else if constexpr (obstacle<Class>() == Obstacle::bit_field) {
            return detail::some_show_address(
                decltype(Members<field_count<Class>()>::apply(std::declval<Class&>(), FieldsByValue{})){});
        } else {
            return !std::is_copy_assignable_v<Class>;
        }
    } else {
        return !std::is_copy_assignable_v<T> || spelled_name<std::remove_cv_t<T>>().starts_with("std::");
    }
}

} // namespace multiprocessing::inline v1::detail
