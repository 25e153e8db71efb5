#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file callable.hpp  A call that is written here and carried out in another process: its checks, its arguments.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/given_objects.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

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

/// A pair or tuple, as that of a map's elements, with elements that can be set: neither const nor references.
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

/// As what an argument for a parameter travels: converted where the call is written, if the parameter's type can cross.
template <class Declared, class Argument>
using CarriedType = typename decltype(carried_type<Declared, Argument>())::type;

// ---- How it is passed on there ----

/// A class whose objects cross by a name, so that what arrives refers to the same thing: SharedMemory.
template <class T>
concept Reference = requires { typename T::multiprocessing_reference; };

template <class T, class... Around>
constexpr bool holds_reference();
template <class... Around, class... Part>
constexpr bool some_hold_reference(Types<Part...>) {
    return (holds_reference<Part, Around...>() || ...);
}
/// Whether a T that crosses is a Reference, or something that holds one.
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
/// A shared handle, or something that holds one: may be bound to an lvalue reference, as it refers to the same object.
template <class T>
inline constexpr bool holds_handle = find_handle<T>();

/// Holds what is moved to the receiver, a Connection.
template <class T>
inline constexpr bool holds_owned = can_cross<T, Crossing::spawning>() && !can_cross<T, Crossing::copying>();

/// Whether what was given as an Argument may go there as a T: not if that would leave the giver without something that he
/// did not move.
template <class T, class Argument>
constexpr bool is_given_away() {
    // Of another type, it is made of the argument, which is moved into it or does not go there at all.
    constexpr bool of_another_type = !is_written_as<T, Argument>;
    constexpr bool is_moved =
        !std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
    if constexpr (of_another_type || is_moved || std::is_trivially_copyable_v<T>) {
        return true;
    } else {
        return !holds_owned<T>;
    }
}

/// Consumes what was given as an rvalue and has been written: it is as after a move. What it refers to may be the
/// receiver's alone from then on.
template <class Given>
void give_away([[maybe_unused]] Given&& given) {
    if constexpr (!std::is_reference_v<Given> && !std::is_const_v<Given> &&
                  !std::is_trivially_copyable_v<Given> && std::is_move_constructible_v<Given>) {
        [[maybe_unused]] const Given given_away(std::forward<Given>(given));
    }
}

/// Passes a value that has arrived: moved, if the parameter takes it so; else, if it is a handle, as an lvalue.
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

/// Writes a function to be called, as F. Throws `std::invalid_argument` for a null pointer, on which the child would crash.
template <class F, class Function>
void encode_function(Writer& writer, const Function& function) {
    if constexpr (std::is_pointer_v<F>) {
        const F pointer = function; // not `function` itself: if it is one, compilers know that it is never null
        if (!pointer)
            throw std::invalid_argument("multiprocessing: the function to be called is a null pointer");
    }
    encode<F>(writer, function);
}

/// A call of F (decayed) with arguments of these types (as given, references kept).
template <class F, class... Argument>
class CrossingCall {
    template <class Sequence>
    struct Parts;
    template <std::size_t... Index>
    struct Parts<std::index_sequence<Index...>> {
        using Carried = std::tuple<CarriedType<Parameter<F, Index>, Argument>...>;
        template <std::size_t I>
        using Passed = decltype(pass_on<Parameter<F, I>>(std::declval<std::tuple_element_t<I, Carried>&>()));

        static constexpr bool all_cross =
            (can_cross<std::tuple_element_t<Index, Carried>, Crossing::spawning>() && ...);
        static constexpr bool all_given =
            (is_given_away<std::tuple_element_t<Index, Carried>, Argument>() && ...);
        static constexpr bool invocable = std::is_invocable_v<F&, Passed<Index>...>;
        /// A parameter `T&` that would be bound to the copy of an argument, where what is written is lost.
        static constexpr bool writes_to_copy =
            ((std::is_lvalue_reference_v<Parameter<F, Index>> &&
              !std::is_const_v<std::remove_reference_t<Parameter<F, Index>>> &&
              !std::is_convertible_v<Passed<Index>, Parameter<F, Index>>) ||
             ...);

        static decltype(auto) invoke(F& function, Carried& arguments) {
            return function(pass_on<Parameter<F, Index>>(std::get<Index>(arguments))...);
        }
        static void require_all() {
            (require_crossing<std::tuple_element_t<Index, Carried>, Crossing::spawning>(), ...);
        }
    };

    static constexpr bool count_fits() {
        if constexpr (std::is_same_v<Parameters<F>, UnknownParameters>) {
            return true;
        } else {
            return Parameters<F>::count == sizeof...(Argument);
        }
    }

    template <bool Fits, class Dummy = void>
    struct PartsIfFit {
        using Type = Parts<std::index_sequence_for<Argument...>>;
    };
    template <class Dummy>
    struct PartsIfFit<false, Dummy> {
        struct Type {
            using Carried = std::tuple<>;
            static constexpr bool all_cross = false;
            static constexpr bool all_given = false;
            static constexpr bool invocable = false;
            static constexpr bool writes_to_copy = false;
        };
    };
    using All = typename PartsIfFit<count_fits()>::Type;

    static constexpr bool function_crosses = can_cross<F, Crossing::spawning>();

    template <bool Ok, class Dummy = void>
    struct ReturnedIf {
        using Type = decltype(All::invoke(std::declval<F&>(), std::declval<typename All::Carried&>()));
    };
    template <class Dummy>
    struct ReturnedIf<false, Dummy> {
        using Type = void;
    };

public:
    using Carried = typename All::Carried;

    /// Whether the call can be carried out in another process.
    static constexpr bool ok =
        function_crosses && count_fits() && All::all_cross && All::all_given && All::invocable;

    /// Whether a function given as a Function (a reference, if it is an lvalue) may go there.
    template <class Function>
    static constexpr bool ok_as = ok && is_given_away<F, Function>();

    /// One error of the compiler that says why not.
    static void explain() {
        if constexpr (!function_crosses) {
            require_crossing<F, Crossing::spawning>();
        } else if constexpr (ok) {
            static_assert(
                !ok, "the function object holds a Connection, which belongs to one process: hand it over with "
                     "std::move, or give it connection.dup()");
        } else if constexpr (!count_fits()) {
            static_assert(
                Parameters<F>::count == sizeof...(Argument),
                "the function does not take this number of arguments (defaults are unknown to a pointer)");
        } else if constexpr (!All::all_cross) {
            All::require_all();
        } else if constexpr (!All::all_given) {
            static_assert(
                All::all_given,
                "an argument holds a Connection, which belongs to one process: hand it over with std::move, or "
                "pass connection.dup()");
        } else if constexpr (All::writes_to_copy) {
            static_assert(!All::writes_to_copy,
                          "the function takes a non-const reference: the child gets a copy; what it "
                          "writes there is lost: use Value, Array, a Queue or the result");
        } else {
            static_assert(All::invocable, "the function cannot be called with arguments of these types (F and "
                                          "Argument, above), which reach it as values");
        }
    }

    /// What F returns; void if the call is not ok.
    using Returned = typename ReturnedIf<ok>::Type;

    /// Calls F there.
    static decltype(auto) invoke(F& function, Carried& arguments) { return All::invoke(function, arguments); }

    /// Writes function and arguments, as they are now. Throws `std::invalid_argument` for a null pointer to a function.
    template <class Function>
    static void write(Writer& writer, const Function& function, Argument&&... arguments) {
        encode_function<F>(writer, function);
        write_arguments(writer, std::index_sequence_for<Argument...>{}, std::forward<Argument>(arguments)...);
    }
    /// The call was written, and will be made: what of it was given as rvalues is consumed.
    template <class Function>
    static void consume(Function&& function, Argument&&... arguments) {
        if constexpr (std::is_class_v<F>) give_away<Function>(std::forward<Function>(function));
        (give_away<Argument>(std::forward<Argument>(arguments)), ...);
    }

private:
    template <std::size_t... Index>
    static void write_arguments(Writer& writer, std::index_sequence<Index...>, Argument&&... arguments) {
        (write_as<std::tuple_element_t<Index, Carried>>(writer, std::forward<Argument>(arguments)), ...);
    }

    template <class As, class Given>
    static void write_as([[maybe_unused]] Writer& writer, Given&& argument) {
        if constexpr (is_written_as<As, Given>) {
            encode_as_given<As>(writer, argument);
        } else {
            encode<As>(writer, static_cast<As>(std::forward<Given>(argument)));
        }
    }
};

/// Reads what CrossingCall::write() wrote: first the function, then, in order, the arguments.
template <class F, class Carried>
struct ReceivedCall {
    F function;
    Carried arguments;

    static ReceivedCall read(Reader& reader) {
        F function = decode<F>(reader);
        return {std::move(function), read_arguments(reader, static_cast<Carried*>(nullptr))};
    }

private:
    template <class... Value>
    static std::tuple<Value...> read_arguments(Reader& reader, std::tuple<Value...>*) {
        return std::tuple<Value...>{decode<Value>(reader)...}; // braces: in order
    }
};

} // namespace multiprocessing::inline v1::detail
