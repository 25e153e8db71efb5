#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec_scalar.hpp  Single values: numbers, enumerations, durations, functions, and what has
/// no state.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/code/code_address.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace multiprocessing::inline v1::detail {

// All other numbers are bitwise.
template <>
struct Codec<bool, Kind::number> {
    static void write(Writer& writer, bool value) { writer.raw(static_cast<std::uint8_t>(value)); }
    static bool read(Reader& reader) { return reader.flag(); }
};

template <>
struct Codec<long double, Kind::number> {
    // Ten bytes of the x87 format are value, the rest is padding.
    static constexpr std::size_t value_bytes =
        std::numeric_limits<long double>::digits == 64 ? 10 : sizeof(long double);

    static void write(Writer& writer, long double value) {
        std::byte bytes[sizeof value]{};
        std::memcpy(bytes, &value, value_bytes);
        writer.bytes(bytes, sizeof bytes);
    }
    static long double read(Reader& reader) { return reader.raw<long double>(); }
};

template <class T>
struct Codec<T, Kind::enumeration> { // over bool
    static void write(Writer& writer, T value) { detail::encode(writer, static_cast<bool>(value)); }
    static T read(Reader& reader) { return static_cast<T>(decode<bool>(reader)); }
};

template <class T>
struct Codec<T, Kind::nothing> {
    static void write(Writer&, const T&) {}
    static void read_into(Reader&, T&) {}
};

template <class T>
struct Codec<T, Kind::duration> {
    static void write(Writer& writer, const T& value) { detail::encode(writer, value.count()); }
    static T read(Reader& reader) { return T(decode<typename T::rep>(reader)); }
};

template <class T>
struct Codec<T, Kind::time_point> {
    static void write(Writer& writer, const T& value) { detail::encode(writer, value.time_since_epoch()); }
    static T read(Reader& reader) { return T(decode<typename T::duration>(reader)); }
};

template <class T>
struct Codec<T, Kind::complex_number> {
    static void write(Writer& writer, const T& value) {
        detail::encode(writer, value.real());
        detail::encode(writer, value.imag());
    }
    static T read(Reader& reader) {
        const auto real = decode<typename T::value_type>(reader);
        return T(real, decode<typename T::value_type>(reader));
    }
};

/// A function pointer: where in which image its code lies, and of which type it is. Anything else
/// there would be called with the wrong arguments.
template <class T>
struct Codec<T, Kind::function> {
    static void write(Writer& writer, T value) {
        writer.raw(static_cast<std::uint8_t>(value != nullptr));
        if (!value) return;
        const CodeAddress address = code_address_of(reinterpret_cast<const void*>(value));
        writer.raw(address.image.bytes);
        writer.raw(address.offset);
        writer.raw(fingerprint<T>());
    }
    static T read(Reader& reader) {
        if (!reader.flag()) return nullptr;
        if (!reader.may_hold_code()) reader.fail("a function pointer does not come from another program");
        CodeAddress address;
        address.image.bytes = reader.raw<decltype(address.image.bytes)>();
        address.offset = reader.raw<std::uint64_t>();
        if (reader.raw<std::uint64_t>() != fingerprint<T>())
            reader.fail("a function pointer is of another type");
        return reinterpret_cast<T>(const_cast<void*>(resolve(address, 0)));
    }
};

} // namespace multiprocessing::inline v1::detail
