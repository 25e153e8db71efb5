#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file partial.hpp  A function with some arguments fixed, as a value that crosses: Python's
/// functools.partial.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/kind.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

template <class F, class... Fixed>
class Partial;

namespace detail {

/// The parameters of a function behind the first `Count`.
template <class List, std::size_t Count>
struct ParametersBehind {
    using Type = UnknownParameters;
};
template <class... P>
struct ParametersBehind<ParameterList<P...>, 0> {
    using Type = ParameterList<P...>;
};
template <class First, class... Rest, std::size_t Count>
    requires(Count > 0)
struct ParametersBehind<ParameterList<First, Rest...>, Count>
    : ParametersBehind<ParameterList<Rest...>, Count - 1> {};

/// Passes a fixed argument, which the next call needs as well: never moved from.
template <class Declared, class Carried>
decltype(auto) pass_fixed(Carried& value) {
    if constexpr (std::is_same_v<Declared, const char*> &&
                  std::is_same_v<std::remove_const_t<Carried>, std::string>) {
        return value.c_str();
    } else if constexpr (holds_handle<std::remove_const_t<Carried>>) {
        return const_cast<std::remove_const_t<Carried>&>(
            value); // whatever is done to it, is done to the shared object
    } else {
        return std::as_const(value);
    }
}

/// `function(fixed..., rest...)`, if that is a call.
template <class Sequence, class Function, class Values>
struct PartialCall;
template <std::size_t... Index, class Function, class Values>
struct PartialCall<std::index_sequence<Index...>, Function, Values> {
    template <std::size_t At>
    using Passed = decltype(pass_fixed<Parameter<std::remove_const_t<Function>, At>>(
        std::get<At>(std::declval<Values&>())));

    template <class... Rest>
    static constexpr bool is_possible = std::is_invocable_v<Function&, Passed<Index>..., Rest...>;

    template <class... Rest>
    static decltype(auto) make(Function& function, [[maybe_unused]] Values& values, Rest&&... rest) {
        return std::invoke(
            function, pass_fixed<Parameter<std::remove_const_t<Function>, Index>>(std::get<Index>(values))...,
            std::forward<Rest>(rest)...);
    }
};

/// The types in which partial() stores the arguments: those in which they travel.
template <class F, class Sequence, class... Given>
struct FixedTypes;
template <class F, std::size_t... Index, class... Given>
struct FixedTypes<F, std::index_sequence<Index...>, Given...> {
    using Type = Partial<F, CarriedType<Parameter<F, Index>, Given>...>;

    template <class Function>
    static Type make(Function&& function, Given&&... given) {
        return Type(std::forward<Function>(function),
                    static_cast<CarriedType<Parameter<F, Index>, Given>>(std::forward<Given>(given))...);
    }
};

/// Returns whether each parameter accepts its argument in every call; what is not known here is
/// checked at the call.
template <class F, class Values, std::size_t... Index>
constexpr bool takes_fixed(std::index_sequence<Index...>) {
    return ((std::is_void_v<Parameter<F, Index>> ||
             std::is_convertible_v<decltype(pass_fixed<Parameter<F, Index>>(
                                       std::declval<std::tuple_element_t<Index, Values>&>())),
                                   Parameter<F, Index>>)&&...);
}

template <class F, std::size_t Count>
constexpr bool takes_so_many() {
    if constexpr (std::is_same_v<Parameters<F>, UnknownParameters>) {
        return true;
    } else {
        return Count <= Parameters<F>::count;
    }
}

/// The result of a partial() that was refused: no second error follows.
struct RefusedPartial {
    template <class... Argument>
    void operator()(Argument&&...) const {}
};

} // namespace detail

/// The result of partial(): a function object that crosses as an argument if its content does. Its
/// parameters are those of the function behind the fixed ones.
template <class F, class... Fixed>
class Partial {
    template <class Function, class Held>
    using Call = detail::PartialCall<std::index_sequence_for<Fixed...>, Function, Held>;

public:
    using Values = std::tuple<Fixed...>;
    using multiprocessing_parameters =
        typename detail::ParametersBehind<detail::Parameters<F>, sizeof...(Fixed)>::Type;

    explicit Partial(F function, Fixed... fixed)
        : function_(std::move(function)), values_(std::move(fixed)...) {}

    template <class... Rest>
        requires(Call<F, Values>::template is_possible<Rest...>)
    decltype(auto) operator()(Rest&&... rest) {
        return Call<F, Values>::make(function_, values_, std::forward<Rest>(rest)...);
    }
    template <class... Rest>
        requires(Call<const F, const Values>::template is_possible<Rest...>)
    decltype(auto) operator()(Rest&&... rest) const {
        return Call<const F, const Values>::make(function_, values_, std::forward<Rest>(rest)...);
    }

private:
    friend struct detail::Codec<Partial, detail::Kind::partial>;

    F function_;
    Values values_;
};

/// Returns `function` with its first arguments fixed: `pool.map(mp::partial(scale, 3), v)` calls
/// `scale(3, x)`. Fixed arguments are converted to the parameters' types at once, and are the same
/// in every call: they are passed as const, shared handles as they are. `function` is anything that
/// can be the target of a Process, also another partial. Fixed arguments are Spawnable, but not a
/// Connection. A type that may not cross is a compile error that says why.
///
/// Throws `std::invalid_argument` for a null pointer to a function.
///
/// Python: `functools.partial(function, *args)`.
template <class Function, class... Arguments>
auto partial(Function&& function, Arguments&&... fixed) {
    using F = std::decay_t<Function>;
    using namespace detail;
    if constexpr (!can_cross<F, Crossing::copying>()) {
        require_crossing<F, Crossing::copying>();
        return RefusedPartial{};
    } else if constexpr (!takes_so_many<F, sizeof...(Arguments)>()) {
        static_assert(takes_so_many<F, sizeof...(Arguments)>(),
                      "partial() fixes more arguments than the function takes");
        return RefusedPartial{};
    } else {
        using Making = FixedTypes<F, std::index_sequence_for<Arguments...>, Arguments...>;
        using Result = typename Making::Type;
        if constexpr (!can_cross<Result, Crossing::copying>()) {
            require_crossing<Result, Crossing::copying>();
            return RefusedPartial{};
        } else if constexpr (!takes_fixed<F, typename Result::Values>(
                                 std::index_sequence_for<Arguments...>{})) {
            static_assert(
                takes_fixed<F, typename Result::Values>(std::index_sequence_for<Arguments...>{}),
                "what partial() fixes is passed to every call, as const: the parameter takes it by value or by "
                "const reference, and of a type that it converts to");
            return RefusedPartial{};
        } else {
            if constexpr (std::is_pointer_v<F>) {
                const F pointer = function; // see encode_function()
                if (!pointer)
                    throw std::invalid_argument(
                        "multiprocessing: the function given to partial() is a null pointer");
            }
            return Making::make(std::forward<Function>(function), std::forward<Arguments>(fixed)...);
        }
    }
}

namespace detail {

template <class F, class... Fixed>
inline constexpr Kind kind_of_template<Partial<F, Fixed...>> = Kind::partial;

template <class F, class... Fixed>
struct Codec<Partial<F, Fixed...>, Kind::partial> {
    using T = Partial<F, Fixed...>;

    static void write(Writer& writer, const T& value) {
        detail::encode<F>(writer, value.function_);
        detail::encode(writer, value.values_);
    }
    static T read(Reader& reader) {
        return T{decode<F>(reader), decode<Fixed>(reader)...}; // braces: from left to right
    }
};

} // namespace detail

} // namespace multiprocessing::inline v1
