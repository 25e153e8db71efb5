#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec_pointer.hpp  Objects behind pointers: owned by one, owned by several, shared with
/// other processes.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/nesting.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

template <class T>
struct Codec<T, Kind::unique> {
    using Object = std::remove_const_t<typename T::element_type>;

    static void write(Writer& writer, const T& value) {
        writer.raw(static_cast<std::uint8_t>(value != nullptr));
        if (!value) return;
        const Level level{writer};
        detail::encode<Object>(writer, *value);
    }
    static T read(Reader& reader) {
        if (!reader.flag()) return nullptr;
        const Level level{reader};
        return T(new Object(decode<Object>(reader)));
    }
};

template <class T>
struct Codec<T, Kind::shared> {
    using Object = std::remove_const_t<typename T::element_type>;

    enum Tag : std::uint8_t { null, here, seen };

    static void write(Writer& writer, const T& value) {
        if (!value) return writer.raw(null);
        using Answer = WrittenObjects::Answer;
        const auto found = writer.shared_objects().find_or_add(value, fingerprint<Object>());
        switch (found.answer) {
        case Answer::is_new: {
            const Level level{writer};
            writer.raw(here);
            detail::encode<Object>(writer, *value);
            writer.shared_objects().done(value.get());
            return;
        }
        case Answer::known:
            writer.raw(seen);
            writer.length(found.number);
            return;
        case Answer::of_another_type:
            writer.fail("two std::shared_ptr of different types refer to one object in it");
        case Answer::contains_itself:
            writer.fail("an object in it refers to itself through std::shared_ptr; cycles cannot cross");
        }
    }

    static T read(Reader& reader) {
        auto& objects = reader.shared_objects();
        switch (reader.raw<std::uint8_t>()) {
        case null: return nullptr;
        case here: {
            const Level level{reader};
            const std::size_t number = objects.open(fingerprint<Object>());
            const std::shared_ptr<Object> object(new Object(decode<Object>(reader)));
            objects.done(number, object);
            return object;
        }
        case seen:
            if (auto object = objects.find(reader.unchecked_length(), fingerprint<Object>())) {
                return std::static_pointer_cast<Object>(std::move(object));
            }
            reader.fail("a std::shared_ptr refers to an object that is not there, or is of another type");
        default: reader.fail("a std::shared_ptr is neither null, new, nor known");
        }
    }
};

template <class T>
struct Codec<T, Kind::handle> {
    static void write(Writer& writer, const T& value) {
        HandleSink* const sink = writer.handle_sink();
        if (!sink) {
            throw SerializationError(
                "multiprocessing: a " + readable(spelled_name<T>()) +
                " is only shared with a process by passing it as an argument when the process or "
                "task is made");
        }
        value.export_to(*sink);
    }
    static T read(Reader& reader) {
        HandleSource* const source = reader.handle_source();
        if (!source)
            reader.fail("a " + readable(spelled_name<T>()) +
                        " only comes with the arguments of a process or task");
        return T::import_from(*source);
    }
};

template <class T>
struct Codec<T, Kind::owned_handle> {
    static void write(Writer& writer, const T& value) {
        HandleSink* const sink = writer.handle_sink();
        if (!sink)
            writer.fail("it holds a " + readable(spelled_name<T>()) +
                        ", which goes to a process when that is made, or over another Connection");
        value.export_to(*sink, writer);
    }
    static T read(Reader& reader) {
        HandleSource* const source = reader.handle_source();
        if (!source) reader.fail("a " + readable(spelled_name<T>()) + " does not come by itself");
        return T::import_from(*source, reader);
    }
};

} // namespace multiprocessing::inline v1::detail
