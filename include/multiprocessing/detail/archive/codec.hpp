#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec.hpp  A value to bytes and back: the front of the codecs, one for each kind.

#include <multiprocessing/detail/archive/bitwise.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/crossing.hpp>

#include <cstring>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// How a T of that kind is written and read. It has `write(Writer&, const T&)`, and `read(Reader&)`
/// that returns a new T, or `read_into(Reader&, T&)` that overwrites one, or both; `make()` where a
/// T to be overwritten is not `T{}`.
template <class T, Kind K = kind_of<T>>
struct Codec;

/// A type that is copied as it lies in memory.
template <class T>
struct BitwiseCodec {
    static void write(Writer& writer, const T& value) { writer.block(&value, sizeof value); }
    static void read_into(Reader& reader, T& value) {
        std::memcpy(&value, reader.block(sizeof value).data(), sizeof value);
    }
};

template <class T>
using CodecOf = std::conditional_t<is_bitwise<T>, BitwiseCodec<T>, Codec<T>>;

/// Appends the value. T crosses: see require_crossing().
template <class T>
void encode(Writer& writer, const T& value) {
    CodecOf<T>::write(writer, value);
}

/// Overwrites the value with the next one of the message.
template <class T>
void decode_into(Reader& reader, T& value) {
    if constexpr (requires { CodecOf<T>::read_into(reader, value); }) {
        CodecOf<T>::read_into(reader, value);
    } else {
        value = CodecOf<T>::read(reader);
    }
}

/// Reads the next value of the message and returns it.
template <class T>
T decode(Reader& reader) {
    if constexpr (requires { CodecOf<T>::read(reader); }) {
        return CodecOf<T>::read(reader);
    } else if constexpr (requires { CodecOf<T>::make(); }) {
        T value(CodecOf<T>::make());
        CodecOf<T>::read_into(reader, value);
        return value;
    } else {
        T value{};
        CodecOf<T>::read_into(reader, value);
        return value;
    }
}

} // namespace multiprocessing::inline v1::detail
