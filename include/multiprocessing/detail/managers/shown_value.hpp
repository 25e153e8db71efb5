#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shown_value.hpp  What values of managed objects look like in text: as in Python.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <concepts>
#include <cstddef>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

template <class T>
std::string shown_value(const T& value);

/// Between brackets, with commas.
template <class Range, class Show>
std::string shown_items(const Range& range, const char* begin, const char* end, Show show) {
    std::string text = begin;
    bool is_first = true;
    for (const auto& item : range) {
        if (!std::exchange(is_first, false)) text += ", ";
        text += show(item);
    }
    return text + end;
}

template <class Tuple, std::size_t... Index>
std::string shown_tuple(const Tuple& tuple, std::index_sequence<Index...>) {
    std::string text = "(";
    ((text += (Index == 0 ? "" : ", ") + shown_value(std::get<Index>(tuple))), ...);
    return text + (sizeof...(Index) == 1 ? ",)" : ")");
}

/// `repr` of a value; of what Python does not know, the name of its type.
template <class T>
std::string shown_value(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "True" : "False";
    } else if constexpr (std::is_same_v<T, char>) {
        return shown(std::string_view(&value, 1));
    } else if constexpr (std::is_integral_v<T>) {
        return std::to_string(value);
    } else if constexpr (std::is_floating_point_v<T>) {
        return shown(static_cast<double>(value));
    } else if constexpr (std::is_enum_v<T>) {
        return std::to_string(+static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        return shown(std::string_view(value));
    } else if constexpr (requires {
                             { value.repr() } -> std::same_as<std::string>;
                         }) {
        return value.repr();
    } else if constexpr (requires { value.has_value() ? *value : *value; }) {
        return value.has_value() ? shown_value(*value) : "None";
    } else if constexpr (std::ranges::input_range<const T>) {
        if constexpr (requires { typename T::mapped_type; }) {
            return shown_items(value, "{", "}", [](const auto& item) {
                return shown_value(item.first) + ": " + shown_value(item.second);
            });
        } else if constexpr (requires { typename T::key_type; }) {
            if (std::ranges::empty(value)) return "set()";
            return shown_items(value, "{", "}", [](const auto& item) { return shown_value(item); });
        } else {
            using Item = std::ranges::range_value_t<const T>; // vector<bool> has no references
            return shown_items(value, "[", "]",
                               [](const auto& item) { return shown_value(static_cast<const Item&>(item)); });
        }
    } else if constexpr (requires { std::tuple_size<T>::value; }) {
        return shown_tuple(value, std::make_index_sequence<std::tuple_size_v<T>>{});
    } else {
        return "<" + readable(spelled_name<T>()) + " object>";
    }
}

/// What Python's module `array` calls a T: i; the compiler's name of what is no number.
template <class T>
std::string typecode() {
    if constexpr (std::is_same_v<T, bool>) return "?";
    if constexpr (std::is_same_v<T, char>) return "c";
    if constexpr (std::is_same_v<T, signed char>) return "b";
    if constexpr (std::is_same_v<T, unsigned char>) return "B";
    if constexpr (std::is_same_v<T, short>) return "h";
    if constexpr (std::is_same_v<T, unsigned short>) return "H";
    if constexpr (std::is_same_v<T, int>) return "i";
    if constexpr (std::is_same_v<T, unsigned>) return "I";
    if constexpr (std::is_same_v<T, long>) return "l";
    if constexpr (std::is_same_v<T, unsigned long>) return "L";
    if constexpr (std::is_same_v<T, long long>) return "q";
    if constexpr (std::is_same_v<T, unsigned long long>) return "Q";
    if constexpr (std::is_same_v<T, float>) return "f";
    if constexpr (std::is_same_v<T, double>) return "d";
    return readable(spelled_name<T>());
}

} // namespace multiprocessing::inline v1::detail
