#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crossing.hpp  Which types may cross a process boundary: a truthful answer, for all that a
/// type is made of.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/kind.hpp>
#include <multiprocessing/detail/types/reflection.hpp>

#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Where a value goes.
enum class Crossing {
    anywhere,   ///< Through a queue.
    connection, ///< Over a Connection, where others may come along.
    spawning,   ///< To a process or task as an argument, where shared handles may come along, too.
    copying,    ///< The same, if the giver keeps it.
    returning,  ///< Back as a task's result, where those handles may that hand over what they refer to.
    managed,    ///< To a manager's server and back, where its proxies may come along.
};

/// A proxy of an object in a manager's server.
template <class T>
concept ManagedHandle = requires { typename T::multiprocessing_managed; };

/// A shared handle that hands over, as a result, what it refers to.
template <class T>
concept HandedOver = requires { typename T::multiprocessing_handed_over; };

/// Why a type does not cross by itself, whatever its parts.
enum class Refusal {
    none,
    reference,
    constant,
    is_volatile,
    function,
    nothing_to_hold, // void, an array of unknown length
    incomplete,
    pointer,
    c_string,
    member_pointer,
    is_union,
    abstract,
    immovable,
    handle,
    owned_handle,
    inherited_hook,
    const_hook,
    hook_needs_default_constructor,
    polymorphic_pointee,
    stateful_parameter,
    adds_to_container,
    not_empty_constructible,
    base,
    too_many_fields,
    uncounted_field,
    anonymous_field,
    bit_field,
    no_type,
    no_hook
};

template <class T>
concept Complete = requires { sizeof(T); };

template <class T>
constexpr Refusal refusal_of_hook() {
    if constexpr (inherits_hook<T>()) {
        return Refusal::inherited_hook;
    } else if constexpr (access::is_hook_const<T>()) {
        return Refusal::const_hook;
    } else if constexpr (hooks_of<T>.load != Form::static_member && !access::can_make<T>()) {
        return Refusal::
            hook_needs_default_constructor; // only a static load() can do without: it returns the object
    } else {
        return Refusal::none;
    }
}

// Through a pointer to a base only the base would be copied, and nobody would notice.
template <class T>
constexpr Refusal refusal_of_pointer_to() {
    if constexpr (Complete<T> && std::is_class_v<T>) {
        if constexpr (std::is_polymorphic_v<T> && !std::is_final_v<T>) return Refusal::polymorphic_pointee;
    }
    return Refusal::none;
}

// The class that declares T's empty(): T itself, or the container from which it is derived.
template <class Class>
Class declaring_class(bool (Class::*)() const);
template <class Class>
Class declaring_class(bool (Class::*)() const noexcept);

template <class T>
constexpr Refusal refusal_of_container() {
    // A comparison that is a function pointer, say, would come out null.
    if constexpr (requires { typename T::key_compare; }) {
        if constexpr (!std::is_empty_v<typename T::key_compare>) return Refusal::stateful_parameter;
    }
    if constexpr (requires {
                      typename T::hasher;
                      typename T::key_equal;
                  }) {
        if constexpr (!std::is_empty_v<typename T::hasher> || !std::is_empty_v<typename T::key_equal>) {
            return Refusal::stateful_parameter;
        }
    }
    if constexpr (requires { declaring_class(&T::empty); }) {
        if constexpr (sizeof(decltype(declaring_class(&T::empty))) != sizeof(T))
            return Refusal::adds_to_container;
    }
    return Refusal::none;
}

template <class T>
constexpr Refusal refusal_of_aggregate() {
    switch (obstacle<T>()) {
    case Obstacle::none: return Refusal::none;
    case Obstacle::not_empty_constructible: return Refusal::not_empty_constructible;
    case Obstacle::base: return Refusal::base;
    case Obstacle::too_many: return Refusal::too_many_fields;
    case Obstacle::uncounted_field: return Refusal::uncounted_field;
    case Obstacle::anonymous_field: return Refusal::anonymous_field;
    case Obstacle::bit_field: return Refusal::bit_field;
    }
    return Refusal::no_hook;
}

// T is of no kind: which words fit it best?
template <class T>
constexpr Refusal refusal_of_stranger() {
    if constexpr (std::is_pointer_v<T>) {
        using Pointee = std::remove_cv_t<std::remove_pointer_t<T>>;
        constexpr bool is_text = std::is_same_v<Pointee, char> || std::is_same_v<Pointee, wchar_t> ||
                                 std::is_same_v<Pointee, char8_t> || std::is_same_v<Pointee, char16_t> ||
                                 std::is_same_v<Pointee, char32_t>;
        return is_text ? Refusal::c_string : Refusal::pointer;
    } else if constexpr (std::is_member_pointer_v<T>) {
        return Refusal::member_pointer;
    } else if constexpr (std::is_union_v<T>) {
        return Refusal::is_union;
    } else if constexpr (std::is_abstract_v<T>) {
        return Refusal::abstract;
    } else if constexpr (requires { typename T::multiprocessing_no_type; }) {
        return Refusal::no_type;
    } else {
        return std::is_move_constructible_v<T> ? Refusal::no_hook : Refusal::immovable;
    }
}

template <class T>
constexpr Refusal refusal_by_kind() {
    constexpr Kind K = kind_of<T>;
    if constexpr (K == Kind::none) {
        return refusal_of_stranger<T>();
    } else if constexpr (K == Kind::hook) {
        return refusal_of_hook<T>();
    } else if constexpr (K == Kind::unique || K == Kind::shared) {
        return refusal_of_pointer_to<typename T::element_type>();
    } else if constexpr (K == Kind::container) {
        return refusal_of_container<T>();
    } else if constexpr (K == Kind::aggregate) {
        return refusal_of_aggregate<T>();
    } else {
        return Refusal::none;
    }
}

template <class T, Crossing C>
constexpr Refusal find_refusal() {
    if constexpr (std::is_reference_v<T>) {
        return Refusal::reference;
    } else if constexpr (std::is_volatile_v<T>) {
        return Refusal::is_volatile;
    } else if constexpr (std::is_const_v<T>) {
        return Refusal::constant;
    } else if constexpr (std::is_function_v<T>) {
        return Refusal::function;
    } else if constexpr (std::is_void_v<T> || std::is_unbounded_array_v<T>) {
        return Refusal::nothing_to_hold;
    } else if constexpr (!Complete<T>) {
        return Refusal::incomplete;
    } else if constexpr (kind_of<T> == Kind::handle) {
        constexpr bool crosses = C == Crossing::spawning || C == Crossing::copying ||
                                 (C == Crossing::returning && HandedOver<T>) ||
                                 (C == Crossing::managed && ManagedHandle<T>);
        return crosses ? Refusal::none : Refusal::handle;
    } else if constexpr (kind_of<T> == Kind::owned_handle) {
        return C == Crossing::spawning || C == Crossing::connection ? Refusal::none : Refusal::owned_handle;
    } else if constexpr (refusal_by_kind<T>() != Refusal::none) {
        return refusal_by_kind<T>();
    } else {
        // It comes back by value. Where a part is to blame, the text names that.
        return std::is_class_v<T> && !std::is_move_constructible_v<T> ? Refusal::immovable : Refusal::none;
    }
}

template <class T, Crossing C>
inline constexpr Refusal refusal_of = find_refusal<T, C>();

template <class T, Crossing C, class... Around>
constexpr bool can_cross_within();

template <Crossing C, class... Around, class... Part>
constexpr bool can_all_cross(Types<Part...>) {
    return (can_cross_within<Part, C, Around...>() && ...);
}

// `Around` are the types of which T is a part: where it is one of them, it was asked about already.
template <class T, Crossing C, class... Around>
constexpr bool can_cross_within() {
    if constexpr ((std::is_same_v<T, Around> || ...)) {
        return true;
    } else if constexpr (refusal_of<T, C> != Refusal::none) {
        return false;
    } else if constexpr (Parts<T>::count == 0) {
        return true;
    } else {
        return detail::can_all_cross<C, Around..., T>(Parts<T>{});
    }
}

template <class T, Crossing C>
inline constexpr bool crosses_as = can_cross_within<T, C>();

/// Returns whether a T crosses. The answer is of the type as it is complete where it is asked
/// first.
template <class T, Crossing C>
constexpr bool can_cross() {
    return crosses_as<T, C>;
}

} // namespace multiprocessing::inline v1::detail
