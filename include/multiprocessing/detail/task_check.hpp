#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_check.hpp  Whether a call, a map or a starmap can be carried out in a worker, and why not if it cannot.

#include <multiprocessing/detail/callable.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Whether the call can be carried out in a worker. If not, explain_task() is the compiler's one error; each public
/// function asks first, so that no other follows.
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
void explain_task() {
    using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
    if constexpr (!Call::ok) {
        Call::explain();
    } else {
        require_crossing<std::decay_t<typename Call::Returned>, Crossing::returning>();
    }
}

template <class Function, class Range>
constexpr bool is_map() {
    return is_task<Function, std::ranges::range_reference_t<Range>>();
}
template <class Function, class Range>
void explain_map() {
    explain_task<Function, std::ranges::range_reference_t<Range>>();
}

template <class Range>
using ItemOf = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
template <class Item>
inline constexpr bool is_tuple_like = requires { std::tuple_size<Item>::value; };

template <class Function, class Range>
constexpr bool is_starmap() {
    if constexpr (!is_tuple_like<ItemOf<Range>>) {
        return false;
    } else {
        return []<std::size_t... Index>(std::index_sequence<Index...>) {
            return is_task<Function, std::tuple_element_t<Index, ItemOf<Range>>...>();
        }(std::make_index_sequence<std::tuple_size_v<ItemOf<Range>>>{});
    }
}
template <class Function, class Range>
void explain_starmap() {
    if constexpr (!is_tuple_like<ItemOf<Range>>) {
        static_assert(
            is_tuple_like<ItemOf<Range>>,
            "the items of starmap are tuples, pairs or arrays of arguments; for single arguments use map");
    } else {
        []<std::size_t... Index>(std::index_sequence<Index...>) {
            explain_task<Function, std::tuple_element_t<Index, ItemOf<Range>>...>();
        }(std::make_index_sequence<std::tuple_size_v<ItemOf<Range>>>{});
    }
}

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

} // namespace multiprocessing::inline v1::detail
