#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec_container.hpp  Any number of values: strings, the standard's containers, a user's,
/// flags.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/nesting.hpp>
#include <multiprocessing/detail/config.hpp>

#include <algorithm> // for min, max
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <new> // for launder
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Its elements lie side by side and are copied as one block.
template <class T>
concept BulkContainer =
    Container<T> && is_bitwise<typename T::value_type> && requires(T& value, const T& constant) {
        requires std::contiguous_iterator<decltype(constant.begin())>;
        { constant.data() } -> std::same_as<const typename T::value_type*>;
        { value.data() } -> std::same_as<typename T::value_type*>;
        value.resize(std::size_t{});
        value.insert(value.end(), constant.data(), constant.data());
        { constant.size() } -> std::convertible_to<std::size_t>;
    };

/// Appends elements that do not lie in `bytes` as their alignment wants it: through a window that
/// stays in the cache nearest to the processor, as no container can be told to leave room that is
/// not filled with zeros first. Large enough that compilers call memcpy; not inlined, as callers
/// are recursive and would all have the window on their stack.
template <BulkContainer T>
__attribute__((noinline)) void append_through_window(T& value, std::span<const std::byte> bytes) {
    using Element = typename T::value_type;
    constexpr std::size_t at_once = std::max<std::size_t>(16 * 1024 / sizeof(Element), 1);
    alignas(Element) std::byte window[at_once * sizeof(Element)];
    while (!bytes.empty()) {
        const std::size_t size = (std::min)(bytes.size(), sizeof window);
        std::memcpy(window, bytes.data(), size);
        const auto* const first = std::launder(reinterpret_cast<const Element*>(window));
        value.insert(value.end(), first, first + size / sizeof(Element));
        bytes = bytes.subspan(size);
    }
}

/// Appends the elements whose bytes these are.
template <BulkContainer T>
void append_block(T& value, std::span<const std::byte> bytes) {
    using Element = typename T::value_type;
    const std::size_t count = bytes.size() / sizeof(Element);
    if (count == 0) return;
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Element) == 0) {
        const auto* const first = reinterpret_cast<const Element*>(bytes.data());
        value.insert(value.end(), first, first + count);
    } else if (bytes.size() <= 4096) {
        const std::size_t before = value.size();
        value.resize(before + count); // so few that zeros cost nothing
        std::memcpy(value.data() + before, bytes.data(), bytes.size());
    } else {
        detail::append_through_window(value, bytes);
    }
}

template <class T>
struct Codec<T, Kind::container> {
    using Element = typename StoredElement<typename T::value_type>::type;

    // An element that takes no bytes takes one here: else a message could claim any number of them.
    static constexpr bool is_padded = detail::smallest_size_of(Parts<T>{}) == 0;
    static constexpr std::size_t smallest_element = is_padded ? 1 : detail::smallest_size_of(Parts<T>{});

    static void write(Writer& writer, const T& value) {
        if constexpr (BulkContainer<T>) {
            writer.length(value.size());
            writer.block(value.data(), value.size() * sizeof(Element));
        } else {
            const Level level{writer};
            writer.length(size_of(value));
            for (const auto& element : value) {
                if constexpr (is_padded) writer.raw(std::uint8_t{0});
                detail::encode(writer, element);
            }
        }
    }

    static void read_into(Reader& reader, T& value) {
        value.clear();
        if constexpr (BulkContainer<T>) {
            const std::uint64_t count = reader.unchecked_length();
            if (count > (std::numeric_limits<std::ptrdiff_t>::max)() / sizeof(Element)) {
                reader.fail("more elements are claimed than memory can hold");
            }
            const auto bytes = reader.block(count * sizeof(Element));
            if constexpr (requires { value.reserve(std::size_t{}); })
                value.reserve(static_cast<std::size_t>(count));
            detail::append_block(value, bytes);
        } else {
            const Level level{reader};
            const std::size_t count = reader.length(smallest_element);
            // An honest message may have large elements of few bytes, but a forged one shall not
            // take much at once.
            if constexpr (requires { value.reserve(std::size_t{}); }) {
                value.reserve((std::min)(count, 16 * reader.left() / sizeof(Element) + 1));
            }
            if constexpr (requires { value.before_begin(); }) {
                auto last = value.before_begin();
                for (std::size_t i = 0; i < count; ++i) last = value.insert_after(last, next(reader));
            } else {
                for (std::size_t i = 0; i < count; ++i) append(reader, value);
            }
        }
    }

private:
    static std::size_t size_of(const T& value) {
        if constexpr (requires { value.size(); }) {
            return static_cast<std::size_t>(value.size());
        } else {
            return static_cast<std::size_t>(std::distance(value.begin(), value.end()));
        }
    }

    static void skip_padding(Reader& reader) {
        if constexpr (is_padded) {
            if (reader.flag()) reader.fail("an element without bytes is not marked as such");
        }
    }

    static Element next(Reader& reader) {
        skip_padding(reader);
        return decode<Element>(reader);
    }

    static void append(Reader& reader, T& value) {
        if constexpr (std::default_initializable<Element> && requires {
                          { value.emplace_back() } -> std::same_as<Element&>;
                      }) {
            skip_padding(reader);
            detail::decode_into(reader, value.emplace_back());
        } else if constexpr (requires(Element element) { value.push_back(std::move(element)); }) {
            value.push_back(next(reader));
        } else if constexpr (requires(Element element) {
                                 value.emplace_hint(value.end(), std::move(element));
                             }) {
            value.emplace_hint(value.end(), next(reader));
        } else {
            value.insert(value.end(), next(reader));
        }
    }
};

/// Writes eight flags to a byte; those that are left over in the last byte are 0.
template <class Get>
void write_flags(Writer& writer, std::size_t count, Get get) {
    for (std::size_t i = 0; i < count; i += 8) {
        unsigned bits = 0;
        for (std::size_t k = i; k < count && k < i + 8; ++k) bits |= static_cast<unsigned>(get(k)) << (k - i);
        writer.raw(static_cast<std::uint8_t>(bits));
    }
}

template <class Set>
void read_flags(Reader& reader, std::size_t count, Set set) {
    for (std::size_t i = 0; i < count; i += 8) {
        const unsigned bits = reader.raw<std::uint8_t>();
        for (std::size_t k = i; k < count && k < i + 8; ++k) set(k, (bits >> (k - i) & 1U) != 0);
        if (count - i < 8 && bits >> (count - i) != 0) reader.fail("there are more flags than claimed");
    }
}

template <class T>
struct Codec<T, Kind::flags> {
    static void write(Writer& writer, const T& value) {
        writer.length(value.size());
        write_flags(writer, value.size(), [&](std::size_t i) { return value[i]; });
    }
    static void read_into(Reader& reader, T& value) {
        const std::uint64_t count = reader.unchecked_length();
        if (count / 8 > reader.left()) reader.fail("more flags are claimed than there are bytes for");
        value.assign(static_cast<std::size_t>(count), false);
        read_flags(reader, value.size(), [&](std::size_t i, bool flag) { value[i] = flag; });
    }
};

template <class T>
struct Codec<T, Kind::bitset> {
    static void write(Writer& writer, const T& value) {
        write_flags(writer, value.size(), [&](std::size_t i) { return value[i]; });
    }
    static void read_into(Reader& reader, T& value) {
        read_flags(reader, value.size(), [&](std::size_t i, bool flag) { value[i] = flag; });
    }
};

template <class T>
struct Codec<T, Kind::path> {
    static void write(Writer& writer, const T& value) { detail::encode(writer, value.native()); }
    static T read(Reader& reader) { return T(decode<typename T::string_type>(reader)); }
};

} // namespace multiprocessing::inline v1::detail
