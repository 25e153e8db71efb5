#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file map_shapes.hpp  Calls of a map with something else than a function, a range and options,
/// and what is said of them.

#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/detail/types/fixed_text.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/options.hpp>

#include <concepts>
#include <initializer_list>
#include <iterator>
#include <ranges>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Whether these may stand behind the function: a range, then perhaps options.
template <class... Given>
inline constexpr bool is_map_shape = false;
template <class Range>
inline constexpr bool is_map_shape<Range> = std::ranges::input_range<Range>;
template <class Range, class Options>
inline constexpr bool is_map_shape<Range, Options> =
    std::ranges::input_range<Range> && std::is_convertible_v<Options, MapOptions>;

template <class T>
concept CountLike = std::integral<std::remove_cvref_t<T>> || std::is_enum_v<std::remove_cvref_t<T>>;

/// Says what is wrong with map(function, given...), where `given` is none of those shapes.
template <class Function, class... Given>
constexpr void say_wrong_shape(TextBuilder& text, std::string_view name) {
    using All = std::tuple<Given..., void*, void*>; // so that there are two
    using First = std::tuple_element_t<0, All>;
    using Second = std::tuple_element_t<1, All>;
    if constexpr (sizeof...(Given) == 0) {
        text.add(name).add(" takes a function and a range of items: ").add(name).add("(f, items)");
    } else if constexpr (std::ranges::input_range<Function> && !std::ranges::input_range<First>) {
        text.add(name).add(" takes the function first, then the range: ").add(name).add("(f, items)");
    } else if constexpr (sizeof...(Given) > 1 && std::ranges::input_range<First> && CountLike<Second>) {
        text.add("what follows the range are options of ").add(name).add(", not a number: ");
        text.add(name).add("(f, items, {.chunksize = 16})");
    } else if constexpr (sizeof...(Given) > 1 && std::ranges::input_range<First> &&
                         std::ranges::input_range<Second>) {
        text.add(name).add(" takes one range: for several arguments make one range of tuples and use starmap, "
                           "in C++23 starmap(f, std::views::zip(a, b))");
    } else if constexpr (sizeof...(Given) > 1 && std::input_or_output_iterator<std::remove_cvref_t<First>> &&
                         std::sentinel_for<std::remove_cvref_t<Second>, std::remove_cvref_t<First>>) {
        text.add(name).add(" takes a range, not two iterators: ");
        text.add(name).add("(f, items), or (f, std::ranges::subrange(first, last))");
    } else if constexpr (!std::ranges::input_range<First>) {
        text.add(type_name<std::remove_cvref_t<First>>()).add(" is no range of items, which ").add(name);
        text.add(" takes behind the function: give a container, a view as std::views::iota(0, n), or braces; "
                 "for one "
                 "call use apply");
    } else {
        text.add(name).add(
            " takes a function, a range of items and options, as (f, items, {.chunksize = 16}), and not ");
        detail::say_arguments(text, ParameterList<Given...>{});
        text.add(" behind the function: for several arguments use starmap with a range of tuples, or "
                 "multiprocessing::partial");
    }
}

/// The keyword arguments of Python's Pool, for an error that says how it is written here.
struct PythonPool {
    Refused processes = {};
    Keyword initializer;
    Refused initargs = {};
    Refused maxtasksperchild = {};
    Refused context = {};
};

/// What a call gives that gives a Result later.
template <class Result>
using RefusedAsync = std::conditional_t<std::is_same_v<Result, Refused>, Refused, AsyncResult<Result>>;

template <class Function>
using RefusedAsyncTask =
    std::conditional_t<can_be_held<RefusedTask<Function>>(), RefusedAsync<RefusedTask<Function>>, Refused>;

struct MapName {
    static constexpr std::string_view name = "map";
};
struct MapAsyncName {
    static constexpr std::string_view name = "map_async";
};
struct StarmapName {
    static constexpr std::string_view name = "starmap";
};
struct StarmapAsyncName {
    static constexpr std::string_view name = "starmap_async";
};

template <class Name, class Function, class... Given>
inline constexpr auto shape_refusal = detail::fixed_text_of([] {
    TextBuilder text;
    detail::say_wrong_shape<Function, Given...>(text, Name::name);
    return text;
});

/// Calls of a map that cannot be; each is one error of the compiler that says why. A pool inherits
/// them beside its own.
class MapShapes {
protected:
    template <class Function, class... Given>
        requires(!is_map_shape<Given...>)
    auto map(Function&&, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<MapName, Function, Given...>>();
        return refused_result<RefusedMap<Function>>();
    }
    template <class Function, class Item, class... Given>
        requires(!is_map_shape<std::initializer_list<Item>, Given...>)
    auto map(Function&&, std::initializer_list<Item>, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<MapName, Function, std::initializer_list<Item>, Given...>>();
        return refused_result<RefusedMap<Function>>();
    }

    template <class Function, class... Given>
        requires(!is_map_shape<Given...>)
    auto map_async(Function&&, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<MapAsyncName, Function, Given...>>();
        return refused_result<RefusedAsync<RefusedMap<Function>>>();
    }
    template <class Function, class Item, class... Given>
        requires(!is_map_shape<std::initializer_list<Item>, Given...>)
    auto map_async(Function&&, std::initializer_list<Item>, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<MapAsyncName, Function, std::initializer_list<Item>, Given...>>();
        return refused_result<RefusedAsync<RefusedMap<Function>>>();
    }

    template <class Function, class... Given>
        requires(!is_map_shape<Given...>)
    auto starmap(Function&&, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<StarmapName, Function, Given...>>();
        return refused_result<RefusedMap<Function>>();
    }
    template <class Function, class Item, class... Given>
        requires(!is_map_shape<std::initializer_list<Item>, Given...>)
    auto starmap(Function&&, std::initializer_list<Item>, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<StarmapName, Function, std::initializer_list<Item>, Given...>>();
        return refused_result<RefusedMap<Function>>();
    }

    template <class Function, class... Given>
        requires(!is_map_shape<Given...>)
    auto starmap_async(Function&&, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<StarmapAsyncName, Function, Given...>>();
        return refused_result<RefusedAsync<RefusedMap<Function>>>();
    }
    template <class Function, class Item, class... Given>
        requires(!is_map_shape<std::initializer_list<Item>, Given...>)
    auto starmap_async(Function&&, std::initializer_list<Item>, Given&&...) { // overloaded? wrap it in a lambda
        refuse<shape_refusal<StarmapAsyncName, Function, std::initializer_list<Item>, Given...>>();
        return refused_result<RefusedAsync<RefusedMap<Function>>>();
    }
};

} // namespace multiprocessing::inline v1::detail
