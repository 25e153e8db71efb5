#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec_tuple.hpp  A number of values that the type knows: arrays, pairs, tuples, optional,
/// variant.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Also of arrays of arrays, one within the other.
template <class T>
struct ArrayCodec {
    static void write(Writer& writer, const T& value) {
        for (const auto& element : value) detail::encode(writer, element);
    }
    static void read_into(Reader& reader, T& value) {
        for (auto& element : value) detail::decode_into(reader, element);
    }
};

template <class Element, std::size_t Count>
struct Codec<Element[Count], Kind::array> : ArrayCodec<Element[Count]> {}; // no function returns one

template <class T>
struct Codec<T, Kind::array> : ArrayCodec<T> {
    static T read(Reader& reader)
        requires(!std::is_default_constructible_v<T>)
    {
        return [&]<std::size_t... Index>(std::index_sequence<Index...>) {
            return T{{(static_cast<void>(Index), decode<typename T::value_type>(reader))...}};
        }(std::make_index_sequence<array_extent<T>>{});
    }
};

template <template <class...> class Tuple, class... Part>
struct Codec<Tuple<Part...>, Kind::tuple> {
    using T = Tuple<Part...>;

    static void write(Writer& writer, const T& value) {
        std::apply([&](const auto&... part) { (detail::encode(writer, part), ...); }, value);
    }
    static void read_into(Reader& reader, T& value) {
        std::apply([&](auto&... part) { (detail::decode_into(reader, part), ...); }, value);
    }
    static T read(Reader& reader)
        requires(!std::is_default_constructible_v<T>)
    {
        return T{decode<Part>(reader)...}; // braces: from left to right
    }
};

template <class T>
struct Codec<std::optional<T>, Kind::optional> {
    static void write(Writer& writer, const std::optional<T>& value) {
        writer.raw(static_cast<std::uint8_t>(value.has_value()));
        if (value) detail::encode(writer, *value);
    }
    static void read_into(Reader& reader, std::optional<T>& value) {
        value.reset();
        if (!reader.flag()) return;
        if constexpr (std::is_default_constructible_v<T>) {
            detail::decode_into(reader, value.emplace());
        } else {
            value.emplace(decode<T>(reader));
        }
    }
};

template <template <class...> class Variant, class... Part>
struct Codec<Variant<Part...>, Kind::variant> {
    using T = Variant<Part...>;

    static void write(Writer& writer, const T& value) {
        if (value.valueless_by_exception()) writer.fail("a std::variant in it has no value");
        writer.length(value.index());
        write_alternative(writer, value, std::index_sequence_for<Part...>{});
    }
    static T read(Reader& reader) { return read_alternative<0>(reader, reader.unchecked_length()); }

private:
    template <std::size_t... Index>
    static void write_alternative(Writer& writer, const T& value, std::index_sequence<Index...>) {
        static_cast<void>(
            ((value.index() == Index && (detail::encode(writer, *get_if<Index>(&value)), true)) || ...));
    }

    template <std::size_t Index>
    static T read_alternative(Reader& reader, std::uint64_t index) {
        if constexpr (Index == sizeof...(Part)) {
            reader.fail("a std::variant has no alternative " + std::to_string(index));
        } else {
            if (index != Index) return read_alternative<Index + 1>(reader, index);
            using Alternative = std::tuple_element_t<Index, std::tuple<Part...>>;
            return T(std::in_place_index<Index>, decode<Alternative>(reader));
        }
    }
};

} // namespace multiprocessing::inline v1::detail
