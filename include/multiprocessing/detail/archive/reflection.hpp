#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reflection.hpp  How many fields an aggregate has, of which types, and whether that can be known at all.

#include <multiprocessing/detail/archive/members.hpp>
#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A list of types.
template <class... T>
struct Types {
    static constexpr std::size_t count = sizeof...(T);
};

/// Number of fields. Each `{}` initialises exactly one, so arrays and nested aggregates count as one, and
/// nothing is converted: converting probes make clang instantiate copies of what cannot be copied.
template <class T, std::size_t Known = 0>
constexpr std::size_t field_count() {
    if constexpr (Known == most_members) {
        return Known;
    } else if constexpr (Members<Known + 1>::template fits<T>) {
        return field_count<T, Known + 1>();
    } else {
        return Known;
    }
}

/// Why an aggregate cannot be taken to pieces.
enum class Obstacle { none, not_empty_constructible, base, too_many, uncounted_field, bit_field };

/// Initialises any object, or any reference; never called.
struct AnyLvalue {
    AnyLvalue(const AnyLvalue&) = delete; // else std::any would be made from one
    template <class U>
    operator U&() const;
};
struct AnyRvalue {
    AnyRvalue(const AnyRvalue&) = delete;
    template <class U>
    operator U&&() const;
};

/// Initialises a base of T and nothing else, unless that takes anything, as a Stranger tells.
template <class T>
struct AnyBaseOf {
    AnyBaseOf(const AnyBaseOf&) = delete;
    template <class U>
        requires(std::is_base_of_v<U, T> && !std::is_same_v<std::remove_cv_t<U>, T>)
    operator U() const;
};
struct Stranger {
    Stranger(const Stranger&) = delete;
};

template <class T>
constexpr bool has_base() {
    return Members<0>::fits_with<T, AnyBaseOf<T>> && !Members<0>::fits_with<T, Stranger>;
}

/// Takes any fields by reference, and gives their types.
struct FieldsByReference {
    template <class... Field>
    constexpr Types<Field...> operator()(Field&...) const {
        return {};
    }
};

template <class T, std::size_t Count>
constexpr bool has_bit_field() {
    return !decltype(Members<Count>::template takes<FieldsByReference>(std::declval<T&>()))::value;
}

/// What stands in the way of reflecting the aggregate T. An anonymous union among the members, alas, is an
/// error of the compiler here and not an answer.
template <class T>
constexpr Obstacle obstacle() {
    if constexpr (has_base<T>()) {
        return Obstacle::base;
    } else if constexpr (!Members<0>::fits<T>) {
        return Obstacle::not_empty_constructible;
    } else if constexpr (field_count<T>() == 0) {
        return std::is_empty_v<T> ? Obstacle::none : Obstacle::uncounted_field;
    } else {
        using All = Members<field_count<T>()>;
        if constexpr (All::template fits_with<T, AnyLvalue> || All::template fits_with<T, AnyRvalue>) {
            // One more than the `{}` found: there is no name for it, or `{}` does not initialise it.
            return field_count<T>() == most_members ? Obstacle::too_many : Obstacle::uncounted_field;
        } else if constexpr (has_bit_field<T, field_count<T>()>()) {
            return Obstacle::bit_field;
        } else {
            return Obstacle::none;
        }
    }
}

// A member that is a reference does not become const with its object.
template <class Field, class FieldOfConst>
using DeclaredField = std::conditional_t<std::is_const_v<FieldOfConst>, Field, Field&>;

template <class Fields, class FieldsOfConst>
struct DeclaredFields;
template <class... Field, class... FieldOfConst>
struct DeclaredFields<Types<Field...>, Types<FieldOfConst...>> {
    using type = Types<DeclaredField<Field, FieldOfConst>...>;
};

/// The fields' types as declared, const and references included. Requires that there is no obstacle, or that
/// their number is known otherwise.
template <class T, std::size_t Count = field_count<T>()>
using FieldTypes =
    typename DeclaredFields<decltype(Members<Count>::apply(std::declval<T&>(), FieldsByReference{})),
                            decltype(Members<Count>::apply(std::declval<const T&>(),
                                                           FieldsByReference{}))>::type;

/// `use(field...)` with all fields of `value`.
template <class T, class Use>
constexpr decltype(auto) with_fields(T& value, Use&& use) {
    return Members<field_count<std::remove_const_t<T>>()>::apply(value, std::forward<Use>(use));
}

} // namespace multiprocessing::inline v1::detail
