#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file argument.hpp  One argument of a call in another process: as what it travels, what becomes
/// of the original, how it is passed on.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/kind.hpp>

#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

// ---- What a callable declares of its parameters ----

template <class... Parameter>
struct ParameterList {
    static constexpr std::size_t count = sizeof...(Parameter);
    template <std::size_t Index>
    using At = std::tuple_element_t<Index, std::tuple<Parameter...>>;
};
/// Of functors whose operator() is a template or overloaded.
struct UnknownParameters {};

template <class R, class... P>
ParameterList<P...> parameters_of(R (*)(P...));
template <class C, class R, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...));
template <class C, class R, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) const);
template <class C, class R, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) &);
template <class C, class R, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) const&);

template <class F>
auto declared_parameters() {
    if constexpr (requires { typename F::multiprocessing_parameters; }) {
        return typename F::multiprocessing_parameters{};
    } else if constexpr (requires(F function) { parameters_of(function); }) {
        return decltype(parameters_of(std::declval<F>())){};
    } else if constexpr (requires { parameters_of(&F::operator()); }) {
        return decltype(parameters_of(&F::operator())){};
    } else {
        return UnknownParameters{};
    }
}
template <class F>
using Parameters = decltype(declared_parameters<F>());

template <class List, std::size_t Index>
struct ParameterAt {
    using Type = typename List::template At<Index>;
};
template <std::size_t Index>
struct ParameterAt<UnknownParameters, Index> {
    using Type = void;
};
/// The declared type of parameter `Index` of F; void if nothing is known of it.
template <class F, std::size_t Index>
using Parameter = typename ParameterAt<Parameters<F>, Index>::Type;

// ---- As what an argument travels ----

/// A pair or tuple, as that of a map's elements, with elements that can be set: neither const nor
/// references.
template <class T>
struct WithOwnElements {
    using Type = T;
};
template <class A, class B>
struct WithOwnElements<std::pair<A, B>> {
    using Type = std::pair<std::remove_cvref_t<A>, std::remove_cvref_t<B>>;
};
template <class... T>
struct WithOwnElements<std::tuple<T...>> {
    using Type = std::tuple<std::remove_cvref_t<T>...>;
};

/// An argument by itself travels as its decayed type, text in the manner of C as a std::string.
template <class Argument>
using OwnCarriedType = std::conditional_t<std::is_same_v<std::decay_t<Argument>, const char*> ||
                                              std::is_same_v<std::decay_t<Argument>, char*>,
                                          std::string, typename WithOwnElements<std::decay_t<Argument>>::Type>;

/// Whether what is given is written as a Carried by itself, without being converted.
template <class Carried, class Given>
inline constexpr bool is_written_as =
    std::is_same_v<Carried, typename WithOwnElements<std::remove_cvref_t<Given>>::Type>;

/// Writes what is given, which is a Carried or a pair or tuple whose elements can be.
template <class Carried, class Given>
void encode_as_given(Writer& writer, const Given& given) {
    if constexpr (std::is_same_v<Carried, Given>) {
        encode<Carried>(writer, given);
    } else {
        std::apply([&](const auto&... element) { (encode(writer, element), ...); }, given);
    }
}

template <class Declared, class Argument>
constexpr auto carried_type() {
    using Type = std::remove_cvref_t<Declared>;
    if constexpr (can_cross<Type, Crossing::spawning>() && std::is_convertible_v<Argument, Type>) {
        return std::type_identity<Type>{};
    } else {
        return std::type_identity<OwnCarriedType<Argument>>{};
    }
}

/// As what an argument for a parameter travels: converted where the call is written, if the
/// parameter's type can cross.
template <class Declared, class Argument>
using CarriedType = typename decltype(carried_type<Declared, Argument>())::type;

// ---- How it is passed on there ----

/// A class whose objects cross by a name, so that what arrives refers to the same thing:
/// SharedMemory.
template <class T>
concept Reference = requires { typename T::multiprocessing_reference; };

template <class T, class... Around>
constexpr bool holds_reference();
template <class... Around, class... Part>
constexpr bool some_hold_reference(Types<Part...>) {
    return (holds_reference<Part, Around...>() || ...);
}
/// Returns whether a T that crosses is a Reference, or something that holds one.
template <class T, class... Around>
constexpr bool holds_reference() {
    if constexpr (Reference<T>) {
        return true;
    } else if constexpr ((std::is_same_v<T, Around> || ...) || Parts<T>::count == 0) {
        return false;
    } else {
        return detail::some_hold_reference<Around..., T>(Parts<T>{});
    }
}

template <class T>
constexpr bool find_handle() {
    if constexpr (!can_cross<T, Crossing::spawning>()) {
        return false;
    } else {
        return !can_cross<T, Crossing::anywhere>() || holds_reference<T>();
    }
}
/// A shared handle, or something that holds one: may be bound to an lvalue reference, as it refers
/// to the same object.
template <class T>
inline constexpr bool holds_handle = find_handle<T>();

/// Holds what is moved to the receiver, a Connection.
template <class T>
inline constexpr bool holds_owned = can_cross<T, Crossing::spawning>() && !can_cross<T, Crossing::copying>();

/// Returns whether what was given as an Argument may go there as a T: not if that would leave the
/// giver without something that it did not move.
template <class T, class Argument>
constexpr bool is_given_away() {
    // Of another type, it is made of the argument, which is moved into it or does not go there at
    // all.
    constexpr bool of_another_type = !is_written_as<T, Argument>;
    constexpr bool is_moved =
        !std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
    if constexpr (of_another_type || is_moved || std::is_trivially_copyable_v<T>) {
        return true;
    } else {
        return !holds_owned<T>;
    }
}

/// Consumes what was given as an rvalue and has been written: it is as after a move. What it refers
/// to may be the receiver's alone from then on.
template <class Given>
void give_away([[maybe_unused]] Given&& given) {
    if constexpr (!std::is_reference_v<Given> && !std::is_const_v<Given> &&
                  !std::is_trivially_copyable_v<Given> && std::is_move_constructible_v<Given>) {
        [[maybe_unused]] const Given given_away(std::forward<Given>(given));
    }
}

/// Passes a value that has arrived: moved, if the parameter takes it so; else, if it is a handle,
/// as an lvalue.
template <class Declared, class Carried>
decltype(auto) pass_on(Carried& value) {
    if constexpr (std::is_same_v<Declared, const char*> && std::is_same_v<Carried, std::string>) {
        return value.c_str();
    } else if constexpr (holds_handle<Carried> &&
                         (std::is_void_v<Declared> || !std::is_convertible_v<Carried&&, Declared>)) {
        return static_cast<Carried&>(value);
    } else {
        return static_cast<Carried&&>(value);
    }
}

} // namespace multiprocessing::inline v1::detail
