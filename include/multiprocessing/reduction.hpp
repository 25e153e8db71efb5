#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reduction.hpp  Values as bytes that another process makes values of: Python's pickle.

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
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>
#include <vector>

namespace multiprocessing::inline v1 {

/// A T may cross a process boundary anywhere: as a result, through a queue or a pipe. Python:
/// picklable.
///
/// Numbers, enumerations, strings, the standard's containers, `optional`, `variant`, `pair`,
/// `tuple`, `unique_ptr`, `shared_ptr`, `chrono`, `path`, `complex`, `bitset`, arrays, aggregates
/// of such, functions, and classes with a hook:
/// `template <class Archive> void serialize(Archive& ar) { ar(a_, b_); }`. A class with a hook
/// **must** write what it reads. Near misses: pointers and views, which refer to what stays behind;
/// locks and threads of one process; shared handles, which are Spawnable; aggregates with a base, a
/// reference, a const member, a bit-field or an anonymous union. A hook helps in all these cases.
/// (A flexible array member, which is no C++, is an error of g++'s own.)
template <class T>
concept Serializable = detail::can_cross<std::remove_cvref_t<T>, detail::Crossing::anywhere>();

/// A T may be passed to a process or task as an argument: it is Serializable, or a shared handle
/// such as Queue and Lock, or holds some.
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

/// The value of a message that holds a T and nothing else.
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

/// The value as bytes: 8 of T's fingerprint, then the value. Equal values give equal bytes, but for
/// the order of unordered containers. Python: `pickle.dumps`.
///
/// Throws SerializationError if the value is nested deeper than 1000 levels, holds a cycle of
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
        return writer.take();
    }
}

/// The value that dumps() made `bytes` of, in this process or another one of the same program.
/// Python: `pickle.loads`.
///
/// Throws SerializationError if they were made of another type, are truncated, forged or followed
/// by others; whatever they are, they make it read nothing else and take no more memory than what
/// is in them. Not safe against an enemy all the same: functions in them may be any of this
/// program, of the right type.
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
