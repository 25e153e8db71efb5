#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reflection.hpp  How many fields an aggregate has, of which types, and whether that can be
/// known at all.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/members.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A list of types.
template <class... T>
struct Types {
    static constexpr std::size_t count = sizeof...(T);
};

/// Returns the number of fields. Each `{}` initialises exactly one, so arrays and nested aggregates
/// count as one, and nothing is converted: converting probes make clang instantiate copies of what
/// cannot be copied.
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
enum class Obstacle {
    none,
    not_empty_constructible,
    base,
    too_many,
    uncounted_field,
    anonymous_field,
    bit_field
};

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

/// Returns whether a class has no name, or is that of an anonymous union or struct: g++ spells both
/// in one way, clang in two.
template <class U>
constexpr bool is_unnamed() {
    if constexpr (std::is_class_v<U> || std::is_union_v<U>) {
        constexpr std::string_view name = spelled_name<U>();
        return name.ends_with("<unnamed union>") || name.ends_with("<unnamed struct>") ||
               name.ends_with("<unnamed class>");
    } else {
        return false;
    }
}
template <class U>
constexpr bool is_anonymous() {
    if constexpr (std::is_class_v<U> || std::is_union_v<U>) {
        constexpr std::string_view name = spelled_name<U>();
        // Behind the last "::" of "Job::(anonymous union at job.hpp:7:5)"; a namespace has no "at".
        constexpr std::size_t begin = name.rfind("(anonymous ");
        return begin != name.npos && name.ends_with(')') &&
               !name.substr(begin).starts_with("(anonymous namespace");
    } else {
        return false;
    }
}

template <class U>
concept Trivial = std::is_trivially_copyable_v<U>;
template <class U>
concept TrivialAnonymous = Trivial<U> && is_anonymous<U>();

/// Initialises what can be copied as it lies in memory, as all members of anonymous unions and
/// structs can: copies of other classes are not looked into. Where the compiler says that something
/// is anonymous, the conversion is inaccessible.
struct AnyTrivial {
    AnyTrivial(const AnyTrivial&) = delete;
    template <Trivial U>
    operator U&() const;

private:
    template <TrivialAnonymous U>
    operator U&() const;
};
/// The same of what has a name, and of nothing else.
struct AnyNamed {
    AnyNamed(const AnyNamed&) = delete;
    template <Trivial U>
        requires(!is_unnamed<U>() && !is_anonymous<U>())
    operator U&() const;
};
/// Initialises anything but what is anonymous.
struct AnyMovable {
    AnyMovable(const AnyMovable&) = delete;
    template <class U>
    operator U&&() const;

private:
    template <class U>
        requires(is_anonymous<U>())
    operator U&&() const;
};

/// Returns whether the field behind `Before` others is an anonymous union or struct, which cannot
/// be decomposed: an error of the compiler that no concept catches. Nothing can be converted to it:
/// by its name, under clang, or as its constructors are inaccessible, under g++; but what cannot be
/// converted to it initialises its first member. So it does that of a class that begins with such a
/// thing, to which something can be converted.
template <class T, std::size_t Before>
constexpr bool is_anonymous_field() {
    using Fields = Members<Before>;
    if constexpr (Fields::template fits_with<T, AnyTrivial> || !Fields::template fits_with<T, AnyNamed>) {
        return false;
    } else {
        return !Fields::template fits_with<T, AnyMovable>;
    }
}

template <class T, std::size_t... Before>
constexpr bool has_anonymous_field(std::index_sequence<Before...>) {
    return (is_anonymous_field<T, Before>() || ...);
}

/// Returns what stands in the way of reflecting the aggregate T.
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
            // One more than the `{}` found: there is no name for it, or `{}` does not initialise
            // it.
            return field_count<T>() == most_members ? Obstacle::too_many : Obstacle::uncounted_field;
        } else if constexpr (has_anonymous_field<T>(std::make_index_sequence<field_count<T>()>{})) {
            return Obstacle::anonymous_field;
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

/// The fields' types as declared, const and references included. Requires that there is no
/// obstacle, or that their number is known otherwise.
template <class T, std::size_t Count = field_count<T>()>
using FieldTypes =
    typename DeclaredFields<decltype(Members<Count>::apply(std::declval<T&>(), FieldsByReference{})),
                            decltype(Members<Count>::apply(std::declval<const T&>(),
                                                           FieldsByReference{}))>::type;

/// Calls `use(field...)` with all fields of `value`, and returns what that returns.
template <class T, class Use>
constexpr decltype(auto) with_fields(T& value, Use&& use) {
    return Members<field_count<std::remove_const_t<T>>()>::apply(value, std::forward<Use>(use));
}

} // namespace multiprocessing::inline v1::detail
