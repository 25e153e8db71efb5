#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reduction.hpp  Turning values into bytes and back: Python's pickle.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/codec_class.hpp>
#include <multiprocessing/detail/archive/codec_container.hpp>
#include <multiprocessing/detail/archive/codec_pointer.hpp>
#include <multiprocessing/detail/archive/codec_scalar.hpp>
#include <multiprocessing/detail/archive/codec_tuple.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>
#include <multiprocessing/detail/types/hook.hpp> // for access
#include <multiprocessing/exceptions.hpp>        // for SerializationError

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>
#include <vector>

namespace multiprocessing::inline v1 {

/// A T may cross a process boundary anywhere: as a result, through a queue or a Pipe. Python:
/// picklable.
///
/// Serializable are numbers, enumerations, strings, the standard's containers, `optional`,
/// `variant`, `pair`, `tuple`, `unique_ptr`, `shared_ptr`, `chrono`, `path`, `complex`, `bitset`,
/// arrays, aggregates of such types, functions, and classes with a hook:
/// `template <class Archive> void serialize(Archive& ar) { ar(a_, b_); }`. A hook **must** write
/// what it reads.
///
/// Not Serializable are pointers and views, which refer to memory of one process; locks and threads
/// of one process; shared handles, which are Spawnable; aggregates with a base, a reference, a
/// const member, a bit-field or an anonymous union. A hook makes a class with such members
/// Serializable. (A flexible array member, which is no C++, is an error of g++ itself.)
template <class T>
concept Serializable = detail::can_cross<std::remove_cvref_t<T>, detail::Crossing::anywhere>();

/// A T may be passed to a process or task as an argument: it is Serializable, or a shared handle
/// such as Queue and Lock, or has such handles as members.
template <class T>
concept Spawnable = detail::can_cross<std::remove_cvref_t<T>, detail::Crossing::spawning>();

namespace detail {

/// Appends the fingerprint of T and the value.
template <class T>
void encode_message(Writer& writer, const T& value) {
    writer.set_subject(spelled_name<T>());
    writer.raw(fingerprint<T>());
    detail::encode(writer, value);
}

/// Returns the value of a message that holds a T and nothing else.
template <class T>
T decode_message(std::span<const std::byte> bytes, ReadContext* context = nullptr) {
    Reader reader{bytes, context};
    reader.set_subject(spelled_name<T>());
    if (reader.raw<std::uint64_t>() != fingerprint<T>()) {
        reader.fail("they hold another type, or one of that name that was made otherwise");
    }
    T value = decode<T>(reader);
    reader.finish();
    return value;
}

} // namespace detail

/// Returns the value as bytes: 8 bytes of T's fingerprint, then the value. Equal values give equal
/// bytes, except for the order of unordered containers. Python: `pickle.dumps`.
///
/// Throws SerializationError if the value is nested deeper than 1000 levels, or holds a cycle of
/// `shared_ptr`, a variant without value, a function that no other process has, or (by a hook) a
/// shared handle; and what a hook throws.
template <class T>
std::vector<std::byte> dumps(const T& value) {
    if constexpr (!Serializable<T>) {
        detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
        std::terminate();
    } else {
        detail::Writer writer;
        detail::encode_message(writer, value);
        return writer.release();
    }
}

/// Returns the value that dumps() has turned into `bytes`, in this process or in another one of the
/// same program. Python: `pickle.loads`.
///
/// Throws SerializationError if the bytes are of another type, truncated, forged, or followed by
/// more bytes. Whatever the bytes are, no other memory is read, and no more memory is taken than
/// they have content. Yet they are not safe from an attacker: a function in them may be any
/// function of this program that has the right type.
template <class T>
T loads(std::span<const std::byte> bytes) {
    if constexpr (!Serializable<T>) {
        detail::refuse<detail::why_not<std::remove_cvref_t<T>, detail::Crossing::anywhere>>();
        std::terminate();
    } else {
        return detail::decode_message<std::remove_cv_t<T>>(bytes);
    }
}

} // namespace multiprocessing::inline v1
