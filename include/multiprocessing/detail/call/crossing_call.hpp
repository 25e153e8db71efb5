#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file crossing_call.hpp  A call that is written here and carried out in another process: its
/// checks, its arguments.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/detail/types/fixed_text.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// "2 arguments (int, double)".
template <class... Type>
constexpr void say_arguments(TextBuilder& text, ParameterList<Type...>) {
    text.add(sizeof...(Type)).add(sizeof...(Type) == 1 ? " argument" : " arguments");
    if constexpr (sizeof...(Type) > 0) {
        const char* before = " (";
        ((text.add(std::exchange(before, ", ")).add(type_name<std::remove_cvref_t<Type>>())), ...);
        text.add(')');
    }
}

/// Writes a function to be called, as F. Throws `std::invalid_argument` for a null pointer, on
/// which the child would crash.
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
        template <std::size_t At>
        using Passed = decltype(pass_on<Parameter<F, At>>(std::declval<std::tuple_element_t<At, Carried>&>()));

        static constexpr bool all_cross =
            (can_cross<std::tuple_element_t<Index, Carried>, Crossing::spawning>() && ...);
        static constexpr bool all_given =
            (is_given_away<std::tuple_element_t<Index, Carried>, Argument>() && ...);
        static constexpr bool invocable = std::is_invocable_v<F&, Passed<Index>...>;
        /// A parameter `T&` that would be bound to the copy of an argument, where what is written
        /// is lost.
        static constexpr bool writes_to_copy =
            ((std::is_lvalue_reference_v<Parameter<F, Index>> &&
              !std::is_const_v<std::remove_reference_t<Parameter<F, Index>>> &&
              !std::is_convertible_v<Passed<Index>, Parameter<F, Index>>) ||
             ...);

        static decltype(auto) invoke(F& function, Carried& arguments) {
            return function(pass_on<Parameter<F, Index>>(std::get<Index>(arguments))...);
        }
        static constexpr void say_which_does_not_cross(TextBuilder& text) {
            bool said = false;
            [[maybe_unused]] const auto look = [&]<std::size_t At>() {
                using Type = std::tuple_element_t<At, Carried>;
                if constexpr (!can_cross<Type, Crossing::spawning>()) {
                    if (std::exchange(said, true)) return;
                    text.add("argument ").add(At + 1).add(": ");
                    say_why<Type, Crossing::spawning>(text);
                }
            };
            (look.template operator()<Index>(), ...);
        }
        static constexpr void say_which_does_not_fit(TextBuilder& text) {
            bool said = false;
            [[maybe_unused]] const auto look = [&]<std::size_t At>() {
                if constexpr (!std::is_void_v<Parameter<F, At>>) {
                    if constexpr (!std::is_convertible_v<Passed<At>, Parameter<F, At>>) {
                        if (std::exchange(said, true)) return;
                        text.add("argument ").add(At + 1).add(" is ");
                        text.add(type_name<std::tuple_element_t<At, Carried>>());
                        text.add(" and does not convert to ").add(type_name<Parameter<F, At>>());
                        text.add(", which the function takes");
                    }
                }
            };
            (look.template operator()<Index>(), ...);
            if (said) return;
            text.add("the function ").add(type_name<F>()).add(" cannot be called with ");
            say_arguments(text, ParameterList<std::tuple_element_t<Index, Carried>...>{});
            text.add(", which reach it as values");
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

    /// Says why not.
    static constexpr void say_why_not(TextBuilder& text) {
        if constexpr (!function_crosses) {
            say_why<F, Crossing::spawning>(text);
        } else if constexpr (ok) {
            text.add("the function object holds a Connection, which belongs to one process: hand it over with "
                     "std::move, or give it connection.dup()");
        } else if constexpr (!count_fits()) {
            text.add("the function takes ");
            say_arguments(text, Parameters<F>{});
            text.add(", and is called with ");
            say_arguments(text, ParameterList<Argument...>{});
            if constexpr (Parameters<F>::count > sizeof...(Argument))
                text.add(": give all of them, as defaults are unknown here");
        } else if constexpr (!All::all_cross) {
            All::say_which_does_not_cross(text);
        } else if constexpr (!All::all_given) {
            text.add(
                "an argument holds a Connection, which belongs to one process: hand it over with std::move, "
                "or pass connection.dup()");
        } else if constexpr (All::writes_to_copy) {
            text.add("the function takes a non-const reference: the child gets a copy; what it writes there is "
                     "lost: use Value, Array, a Queue or the result");
        } else {
            All::say_which_does_not_fit(text);
        }
    }

    /// What F returns; void if the call is not ok.
    using Returned = typename ReturnedIf<ok>::Type;

    /// Calls F there.
    static decltype(auto) invoke(F& function, Carried& arguments) { return All::invoke(function, arguments); }

    /// Writes function and arguments, as they are now. Throws `std::invalid_argument` for a null
    /// pointer to a function.
    template <class Function>
    static void write(Writer& writer, const Function& function, Argument&&... arguments) {
        encode_function<F>(writer, function);
        write_arguments(writer, std::index_sequence_for<Argument...>{}, std::forward<Argument>(arguments)...);
    }
    /// Consumes what was passed as rvalues: the call was written, and will be made.
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

/// Why a call cannot be carried out in another process.
template <class F, class... Argument>
inline constexpr auto call_refusal = detail::fixed_text_of([] {
    TextBuilder text;
    CrossingCall<F, Argument...>::say_why_not(text);
    return text;
});

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
