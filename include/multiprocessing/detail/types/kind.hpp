#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file kind.hpp  What a type is to the archive, by its structure: one answer for concept,
/// fingerprint and codec.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/hook.hpp>
#include <multiprocessing/detail/types/reflection.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

enum class Kind {
    none, // nothing that the archive knows
    number,
    enumeration,
    nothing, // has no state: nullptr_t, monostate, captureless lambdas, other empty classes
    function,
    handle,
    owned_handle,
    hook,
    array,
    tuple,
    partial, // a function with arguments that are fixed
    optional,
    variant,
    complex_number,
    duration,
    time_point,
    path,
    bitset,
    unique,
    shared,
    flags, // std::vector<bool>
    container,
    aggregate
};

template <class T>
inline constexpr Kind kind_of_template = Kind::none;
template <class T, std::size_t Count>
inline constexpr Kind kind_of_template<std::array<T, Count>> = Kind::array;
template <class A, class B>
inline constexpr Kind kind_of_template<std::pair<A, B>> = Kind::tuple;
template <class... T>
inline constexpr Kind kind_of_template<std::tuple<T...>> = Kind::tuple;
template <class T>
inline constexpr Kind kind_of_template<std::optional<T>> = Kind::optional;
template <class T>
inline constexpr Kind kind_of_template<std::unique_ptr<T>> = std::is_array_v<T> ? Kind::none : Kind::unique;
template <class T>
inline constexpr Kind kind_of_template<std::shared_ptr<T>> = std::is_array_v<T> ? Kind::none : Kind::shared;
template <class Allocator>
inline constexpr Kind kind_of_template<std::vector<bool, Allocator>> = Kind::flags;

// What follows is known by what it can do: <variant>, <complex>, <filesystem> and <bitset> are not
// included for the sake of programs that do not use them.
template <template <class...> class Variant, class First, class... Others>
    requires requires(const Variant<First, Others...>& value) {
        { value.index() } -> std::same_as<std::size_t>;
        { value.valueless_by_exception() } -> std::same_as<bool>;
        requires std::is_constructible_v<Variant<First, Others...>, std::in_place_index_t<0>, First>;
    }
inline constexpr Kind kind_of_template<Variant<First, Others...>> = Kind::variant;

template <template <std::size_t> class Bits, std::size_t Count>
    requires requires(Bits<Count>& value) {
        { value.size() } -> std::same_as<std::size_t>;
        { value.test(0) } -> std::same_as<bool>;
        value.set(0, true);
        value.count();
    }
inline constexpr Kind kind_of_template<Bits<Count>> = Kind::bitset;

/// A class of the library whose objects, where they arrive, refer to what they were made of. It
/// **must** have `void export_to(HandleSink&) const` and a static `import_from(HandleSource&)` that
/// returns it.
template <class T>
concept SharedHandle = std::is_class_v<T> && requires { typename T::multiprocessing_handle; };

/// A class of the library that owns what only one process may have at a time, so that it is moved
/// there. It **must** have `void export_to(HandleSink&, Writer&) const`, which writes a duplicate,
/// and a static `import_from(HandleSource&, Reader&)` that returns it.
template <class T>
concept OwnedHandle = std::is_class_v<T> && requires { typename T::multiprocessing_owned_handle; };

template <class T>
concept ComplexNumber = requires(const T& value) {
    typename T::value_type;
    requires std::floating_point<typename T::value_type>;
    { value.real() } -> std::same_as<typename T::value_type>;
    { value.imag() } -> std::same_as<typename T::value_type>;
    T(value.real(), value.imag());
};

template <class T>
concept Duration = requires(const T& value) {
    typename T::period;
    { value.count() } -> std::same_as<typename T::rep>;
    T(value.count());
};

template <class T>
concept TimePoint = requires(const T& value) {
    typename T::clock;
    { value.time_since_epoch() } -> std::same_as<typename T::duration>;
    T(value.time_since_epoch());
};

template <class T>
concept Path = requires(const T& value) {
    { value.native() } -> std::same_as<const typename T::string_type&>;
    T(typename T::string_type());
};

/// Its elements can be walked through and added. Near misses: a view (adds nothing), an iterator
/// over proxies, a path or a JSON value (whose elements are of its own type).
template <class T>
concept Container =
    std::default_initializable<T> &&
    requires(T& value, const T& constant) {
        typename T::value_type;
        requires !std::same_as<std::remove_cv_t<typename T::value_type>, T>;
        { *constant.begin() } -> std::convertible_to<const typename T::value_type&>;
        requires std::same_as<std::remove_cvref_t<decltype(*constant.begin())>, typename T::value_type>;
        constant.end();
        value.clear();
    } &&
    (
        requires(T& value, typename T::value_type& element) { value.push_back(std::move(element)); } ||
        requires(T& value, typename T::value_type& element) {
            value.insert(value.end(), std::move(element));
        } ||
        requires(T& value, typename T::value_type& element) {
            value.insert_after(value.before_begin(), std::move(element));
        });

template <class T>
constexpr Kind kind_of_class() {
    if constexpr (kind_of_template<T> != Kind::none) {
        return kind_of_template<T>;
    } else if constexpr (SharedHandle<T>) {
        return Kind::handle;
    } else if constexpr (OwnedHandle<T>) {
        return Kind::owned_handle;
    } else if constexpr (hooks_of<T>.any()) {
        return Kind::hook;
    } else if constexpr (std::is_union_v<T>) {
        return Kind::none;
    } else if constexpr (std::is_empty_v<T>) {
        return std::is_default_constructible_v<T> ? Kind::nothing : Kind::none;
    } else if constexpr (std::is_aggregate_v<T>) {
        return Kind::aggregate;
    } else if constexpr (Path<T>) {
        return Kind::path;
    } else if constexpr (Duration<T>) {
        return Kind::duration;
    } else if constexpr (TimePoint<T>) {
        return Kind::time_point;
    } else if constexpr (ComplexNumber<T>) {
        return Kind::complex_number;
    } else if constexpr (Container<T>) {
        return Kind::container;
    } else {
        return Kind::none;
    }
}

/// Returns the kind of a complete type without const, volatile and reference.
template <class T>
constexpr Kind find_kind() {
    if constexpr (std::is_arithmetic_v<T> || is_wide_integer<std::remove_cv_t<T>>) {
        return Kind::number;
    } else if constexpr (std::is_enum_v<T>) {
        return Kind::enumeration;
    } else if constexpr (std::is_null_pointer_v<T>) {
        return Kind::nothing;
    } else if constexpr (std::is_pointer_v<T>) {
        return std::is_function_v<std::remove_pointer_t<T>> ? Kind::function : Kind::none;
    } else if constexpr (std::is_bounded_array_v<T>) {
        return Kind::array;
    } else if constexpr (std::is_class_v<T> || std::is_union_v<T>) {
        return kind_of_class<T>();
    } else {
        return Kind::none;
    }
}

template <class T>
inline constexpr Kind kind_of = find_kind<T>();

/// Number of elements of an array.
template <class T>
inline constexpr std::size_t array_extent = std::extent_v<T>;
template <class T, std::size_t Count>
inline constexpr std::size_t array_extent<std::array<T, Count>> = Count;

/// What a container holds, as it can be made one by one: the pair of a map without its const.
template <class T>
struct StoredElement {
    using type = T;
};
template <class Key, class Value>
struct StoredElement<std::pair<const Key, Value>> {
    using type = std::pair<Key, Value>;
};

// The types of which a T is made.
template <class T, Kind K = kind_of<T>>
struct PartsOf {
    using type = Types<>;
};
template <class T, std::size_t Count>
struct PartsOf<T[Count], Kind::array> {
    using type = Types<T>;
};
template <class T, std::size_t Count>
struct PartsOf<std::array<T, Count>, Kind::array> {
    using type = Types<T>;
};
template <template <class...> class Tuple, class... T>
struct PartsOf<Tuple<T...>, Kind::tuple> {
    using type = Types<T...>;
};
template <template <class...> class Partial, class... T>
struct PartsOf<Partial<T...>, Kind::partial> {
    using type = Types<T...>;
};
template <template <class...> class Variant, class... T>
struct PartsOf<Variant<T...>, Kind::variant> {
    using type = Types<T...>;
};
template <class T>
struct PartsOf<T, Kind::optional> {
    using type = Types<typename T::value_type>;
};
// The pointee may be const: the other side makes its own.
template <class T>
struct PartsOf<T, Kind::unique> {
    using type = Types<std::remove_const_t<typename T::element_type>>;
};
template <class T>
struct PartsOf<T, Kind::shared> {
    using type = Types<std::remove_const_t<typename T::element_type>>;
};
template <class T>
struct PartsOf<T, Kind::complex_number> {
    using type = Types<typename T::value_type>;
};
template <class T>
struct PartsOf<T, Kind::duration> {
    using type = Types<typename T::rep>;
};
template <class T>
struct PartsOf<T, Kind::time_point> {
    using type = Types<typename T::duration>;
};
template <class T>
struct PartsOf<T, Kind::path> {
    using type = Types<typename T::string_type>;
};
template <class T>
struct PartsOf<T, Kind::container> {
    using type = Types<typename T::value_type>;
};
template <class T>
    requires requires { typename T::mapped_type; }
struct PartsOf<T, Kind::container> {
    using type = Types<typename T::key_type, typename T::mapped_type>;
};
template <class T>
struct PartsOf<T, Kind::aggregate> {
    using type = FieldTypes<T>;
};

/// The parts of T; of an aggregate only where there is no obstacle.
template <class T>
using Parts = typename PartsOf<T>::type;

} // namespace multiprocessing::inline v1::detail
