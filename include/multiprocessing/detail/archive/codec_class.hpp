#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file codec_class.hpp  Classes of the user's: aggregates field by field, others by their hook.

#include <multiprocessing/detail/archive/archives.hpp>
#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/nesting.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/hook.hpp>
#include <multiprocessing/detail/types/reflection.hpp>

namespace multiprocessing::inline v1::detail {

template <class T>
struct Codec<T, Kind::aggregate> {
    static void write(Writer& writer, const T& value) {
        detail::with_fields(value, [&](const auto&... field) { (detail::encode(writer, field), ...); });
    }
    static void read_into(Reader& reader, T& value) {
        detail::with_fields(value, [&](auto&... field) { (detail::decode_into(reader, field), ...); });
    }
};

template <class T>
struct Codec<T, Kind::hook> {
    static constexpr Hooks hooks = hooks_of<T>;

    static void write(Writer& writer, const T& value) {
        const Level level{writer};
        SaveArchive archive{writer};
        if constexpr (hooks.save != Form::none) {
            access::call_save<hooks.save>(archive, value);
        } else {
            // One function serves both ways; saving, it only looks.
            access::call_serialize<hooks.serialize>(archive, const_cast<T&>(value));
        }
    }

    static void read_into(Reader& reader, T& value)
        requires(hooks.load != Form::static_member)
    {
        const Level level{reader};
        LoadArchive archive{reader};
        if constexpr (hooks.load != Form::none) {
            access::call_load<hooks.load>(archive, value);
        } else {
            access::call_serialize<hooks.serialize>(archive, value);
        }
    }

    static T make() { return access::make<T>(); }

    static T read(Reader& reader)
        requires(hooks.load == Form::static_member)
    {
        const Level level{reader};
        LoadArchive archive{reader};
        return access::load_new<T>(archive);
    }
};

} // namespace multiprocessing::inline v1::detail
