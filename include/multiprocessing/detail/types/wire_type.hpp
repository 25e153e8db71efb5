#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wire_type.hpp  Whether another build of a program, by another compiler, writes a type as
/// this one reads it: a hash of its structure.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>
#include <multiprocessing/detail/types/kind.hpp>
#include <multiprocessing/detail/types/reflection.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// The name of a class without namespaces and template arguments, of which compilers and standard
/// libraries spell both in ways of their own.
constexpr std::string_view last_name(std::string_view spelled) {
    if (spelled.ends_with('>')) {
        std::size_t open = 0;
        for (std::size_t i = spelled.size(); i-- > 0;) {
            if (spelled[i] == '>') ++open;
            if (spelled[i] == '<' && --open == 0) {
                spelled = spelled.substr(0, i);
                break;
            }
        }
    }
    const std::size_t colon = spelled.rfind("::");
    return colon == spelled.npos ? spelled : spelled.substr(colon + 2);
}

constexpr std::uint64_t hash_of_letters(std::string_view letters) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : letters) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return mixed(hash, letters.size());
}

template <class T, class... Around>
constexpr std::uint64_t wire_type_within();

template <class... Around, class... Part>
constexpr std::uint64_t wire_type_of_parts(std::uint64_t hash, Types<Part...>) {
    ((hash = mixed(hash, wire_type_within<Part, Around...>())), ...);
    return hash;
}

/// What of a type is not in its parts.
template <class T>
constexpr std::uint64_t wire_type_itself() {
    constexpr Kind K = kind_of<T>;
    std::uint64_t hash = mixed(0xcbf29ce484222325U, static_cast<std::uint64_t>(K));
    if constexpr (K == Kind::number) {
        // char is signed here and unsigned there, and written in one way.
        constexpr bool is_letter = std::is_same_v<T, char> || std::is_same_v<T, wchar_t>;
        hash = mixed(hash, sizeof(T));
        hash = mixed(hash, std::is_floating_point_v<T>);
        hash = mixed(hash, std::is_same_v<T, bool> ? 3 : is_letter ? 2 : std::is_signed_v<T>);
    } else if constexpr (K == Kind::enumeration) {
        hash = mixed(hash, wire_type_within<std::underlying_type_t<T>>());
    } else if constexpr (K == Kind::array) {
        hash = mixed(hash, array_extent<T>);
    } else if constexpr (K == Kind::duration) {
        hash = mixed(mixed(hash, T::period::num), T::period::den);
    } else if constexpr (K == Kind::bitset) {
        hash = mixed(hash, T{}.size());
    } else if constexpr (K == Kind::container) {
        hash = mixed(
            hash, requires(const T& value) { value.data(); }); // one block, or one by one
    } else if constexpr (K == Kind::aggregate || K == Kind::hook || K == Kind::handle) {
        hash = mixed(hash, hash_of_letters(last_name(spelled_name<T>())));
    }
    return hash;
}

template <class T, class... Around>
constexpr std::uint64_t wire_type_within() {
    if constexpr (std::is_void_v<T>) {
        return 1;
    } else if constexpr ((std::is_same_v<T, Around> || ...) || Parts<T>::count == 0) {
        return wire_type_itself<T>();
    } else {
        return detail::wire_type_of_parts<Around..., T>(wire_type_itself<T>(), Parts<T>{});
    }
}

/// Equal where the bytes of a T mean the same; of a class with a hook only the name is known.
template <class T>
inline constexpr std::uint64_t wire_type = wire_type_within<T>();

/// Of a call that takes `P...` and returns R.
template <class R, class... P>
constexpr std::uint64_t wire_type_of_call() {
    std::uint64_t hash = mixed(0x9e3779b97f4a7c15U, wire_type<R>); // else a parameter of type R would cancel it
    ((hash = mixed(hash, wire_type<P>)), ...);
    return mixed(hash, sizeof...(P));
}

} // namespace multiprocessing::inline v1::detail
