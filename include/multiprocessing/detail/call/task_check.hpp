#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_check.hpp  Whether a call, a map or a starmap can be carried out in a worker, and why
/// not if it cannot.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/detail/types/fixed_text.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Returns whether the call can be carried out in a worker. If not, task_refusal says why; each
/// public function asks first, so that no other error follows.
template <class Function, class... Arguments>
constexpr bool is_task() {
    using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
    if constexpr (!Call::ok) {
        return false;
    } else if constexpr (std::is_void_v<typename Call::Returned>) {
        return true;
    } else {
        return can_cross<std::decay_t<typename Call::Returned>, Crossing::returning>();
    }
}
template <class Function, class... Arguments>
constexpr void say_why_no_task(TextBuilder& text) {
    using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
    if constexpr (!Call::ok) {
        Call::say_why_not(text);
    } else {
        text.add("the result: ");
        say_why<std::decay_t<typename Call::Returned>, Crossing::returning>(text);
    }
}
template <class Function, class... Arguments>
inline constexpr auto task_refusal = detail::fixed_text_of([] {
    TextBuilder text;
    detail::say_why_no_task<Function, Arguments...>(text);
    return text;
});

template <class Range>
using ItemOf = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
template <class Item>
inline constexpr bool is_tuple_like = requires { std::tuple_size<Item>::value; };
template <class Item>
using ElementIndexes = std::make_index_sequence<std::tuple_size_v<Item>>;

template <class Function, class Range>
constexpr bool is_map() {
    return is_task<Function, std::ranges::range_reference_t<Range>>();
}
template <class Function, class Range>
constexpr bool is_starmap() {
    if constexpr (!is_tuple_like<ItemOf<Range>>) {
        return false;
    } else {
        return []<std::size_t... Index>(std::index_sequence<Index...>) {
            return is_task<Function, std::tuple_element_t<Index, ItemOf<Range>>...>();
        }(ElementIndexes<ItemOf<Range>>{});
    }
}

/// Returns whether the function can be called, but not with that number of arguments: 1 for a map.
template <class F, std::size_t Given>
constexpr bool takes_another_number() {
    if constexpr (!can_cross<F, Crossing::spawning>() || std::is_same_v<Parameters<F>, UnknownParameters>) {
        return false;
    } else {
        return Parameters<F>::count != Given;
    }
}

template <class Function, class Range>
inline constexpr auto map_refusal = detail::fixed_text_of([] {
    using F = std::decay_t<Function>;
    TextBuilder text;
    if constexpr (takes_another_number<F, 1>()) {
        text.add("map calls the function with one item (").add(type_name<ItemOf<Range>>());
        text.add("), and the function takes ");
        detail::say_arguments(text, Parameters<F>{});
        if constexpr (Parameters<F>::count == 0) {
            text.add(": give it a parameter");
        } else if constexpr (is_starmap<Function, Range>()) {
            text.add(": use starmap, which spreads each item over the parameters");
        } else {
            text.add(": use starmap with a range of tuples or pairs, or multiprocessing::partial(function, "
                     "fixed...), "
                     "which fixes the first arguments");
        }
    } else if constexpr (is_starmap<Function, Range>()) {
        text.add("map calls the function with one item (").add(type_name<ItemOf<Range>>());
        text.add("), which it does not take: use starmap, which spreads each item over the parameters");
    } else {
        detail::say_why_no_task<Function, std::ranges::range_reference_t<Range>>(text);
    }
    return text;
});

template <class Function, class Range>
inline constexpr auto starmap_refusal = detail::fixed_text_of([] {
    TextBuilder text;
    if constexpr (!is_tuple_like<ItemOf<Range>>) {
        text.add("the items of starmap are tuples, pairs or arrays of arguments, and ");
        text.add(type_name<ItemOf<Range>>()).add(" is none; for single arguments use map");
    } else {
        []<std::size_t... Index>(TextBuilder& into, std::index_sequence<Index...>) {
            detail::say_why_no_task<Function, std::tuple_element_t<Index, ItemOf<Range>>...>(into);
        }(text, ElementIndexes<ItemOf<Range>>{});
    }
    return text;
});

// ---- What a refused call gives: as much of its type as is known ----

template <class F, class List>
struct DeclaredResult {
    using Type = Refused;
};
template <class F, class... P>
    requires(std::is_invocable_v<F&, P...>)
struct DeclaredResult<F, ParameterList<P...>> {
    using Type = std::decay_t<std::invoke_result_t<F&, P...>>;
};
/// What a function gives whose parameters are known, else Refused.
template <class Function>
using ExpectedResult =
    typename DeclaredResult<std::decay_t<Function>, Parameters<std::decay_t<Function>>>::Type;

/// Returns whether a result of a pool can hold it.
template <class R>
constexpr bool can_be_held() {
    if constexpr (std::is_same_v<R, Refused>) {
        return false;
    } else if constexpr (std::is_void_v<R>) {
        return true;
    } else {
        return can_cross<R, Crossing::returning>();
    }
}

template <class Function>
using RefusedTask = ExpectedResult<Function>;
template <class Function>
using RefusedMap = std::conditional_t<
    can_be_held<ExpectedResult<Function>>(),
    std::conditional_t<std::is_void_v<ExpectedResult<Function>>, void,
                       std::vector<std::conditional_t<can_be_held<ExpectedResult<Function>>() &&
                                                          !std::is_void_v<ExpectedResult<Function>>,
                                                      ExpectedResult<Function>, int>>>,
    Refused>;

/// What one argument travels as, for the only parameter of F.
template <class F, class Given>
using ElementType = CarriedType<Parameter<F, 0>, Given>;

/// What the arguments in a pair, tuple or array travel as.
template <class F, class Given, class Sequence>
struct ArgumentsOf;
template <class F, class Given, std::size_t... Index>
struct ArgumentsOf<F, Given, std::index_sequence<Index...>> {
    using Type = std::tuple<
        CarriedType<Parameter<F, Index>, std::tuple_element_t<Index, std::remove_cvref_t<Given>>>...>;
};
template <class F, class Given>
using ArgumentsType =
    typename ArgumentsOf<F, Given,
                         std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Given>>>>::Type;

/// The tuple of a function's parameters, for braced lists of arguments.
template <class List>
struct ParameterTupleOf;
template <class... P>
struct ParameterTupleOf<ParameterList<P...>> {
    using Type = std::tuple<OwnCarriedType<std::remove_cvref_t<P>>...>;
};
template <class F>
using ParameterTuple = typename ParameterTupleOf<Parameters<std::decay_t<F>>>::Type;

/// What braces in a braced list stand for in a map: the function's only parameter. Its parameters
/// as a tuple where it has several, which is refused with words about starmap.
template <class List>
struct BracedItemOf {};
template <class P>
struct BracedItemOf<ParameterList<P>> {
    using Type = OwnCarriedType<std::remove_cvref_t<P>>;
};
template <class First, class Second, class... P>
struct BracedItemOf<ParameterList<First, Second, P...>> {
    using Type = typename ParameterTupleOf<ParameterList<First, Second, P...>>::Type;
};
template <class F>
using BracedItem = typename BracedItemOf<Parameters<std::decay_t<F>>>::Type;

} // namespace multiprocessing::inline v1::detail
