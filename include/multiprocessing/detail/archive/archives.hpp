#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file archives.hpp  What a hook gets as its archive: `ar(a, b)`, `ar & a & b`, `ar << a`,
/// `ar >> a`.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/explain.hpp>

#include <type_traits>

namespace multiprocessing::inline v1::detail {

template <class T>
void encode(Writer& writer, const T& value);
template <class T>
void decode_into(Reader& reader, T& value);

/// The archive of a hook that saves. The hook's class may cross anywhere as far as the compiler
/// knows, so shared handles in it are refused when it is encoded, not before.
class SaveArchive {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    explicit SaveArchive(Writer& writer) : writer_(writer) {}

    template <class... T>
    SaveArchive& operator()(const T&... values) {
        (save(values), ...);
        return *this;
    }
    template <class T>
    SaveArchive& operator&(const T& value) {
        return (*this)(value);
    }
    template <class T>
    SaveArchive& operator<<(const T& value) {
        return (*this)(value);
    }

private:
    template <class T>
    void save(const T& value) {
        if constexpr (!can_cross<T, Crossing::spawning>()) {
            require_crossing<T, Crossing::spawning>();
        } else {
            detail::encode(writer_, value);
        }
    }

    Writer& writer_;
};

/// The archive of a hook that loads.
class LoadArchive {
public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    explicit LoadArchive(Reader& reader) : reader_(reader) {}

    template <class... T>
    LoadArchive& operator()(T&... values) {
        (load(values), ...);
        return *this;
    }
    template <class T>
    LoadArchive& operator&(T& value) {
        return (*this)(value);
    }
    template <class T>
    LoadArchive& operator>>(T& value) {
        return (*this)(value);
    }

private:
    template <class T>
    void load(T& value) {
        if constexpr (!can_cross<T, Crossing::spawning>()) {
            require_crossing<T, Crossing::spawning>();
        } else {
            detail::decode_into(reader_, value);
        }
    }

    Reader& reader_;
};

} // namespace multiprocessing::inline v1::detail
