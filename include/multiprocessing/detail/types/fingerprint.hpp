#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fingerprint.hpp  A number that tells types apart: by name, size and what they are made of.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/kind.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstdint>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Returns one step of FNV-1a over 64 bits at a time, with a rotation that brings the high bits
/// down.
constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t next) {
    hash = (hash ^ next) * 0x100000001b3U;
    return hash ^ (hash >> 32U);
}

template <class T>
constexpr std::uint64_t hash_of_name() {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : spelled_name<T>()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return mixed(hash, sizeof(T));
}

template <class T>
inline constexpr std::uint64_t name_hash = hash_of_name<T>();

template <class T, class... Around>
constexpr std::uint64_t fingerprint_within();

template <class... Around, class... Part>
constexpr std::uint64_t fingerprint_of_parts(std::uint64_t hash, Types<Part...>) {
    ((hash = mixed(hash, fingerprint_within<Part, Around...>())), ...);
    return hash;
}

// A type that is around itself counts by name only: its parts are being counted.
template <class T, class... Around>
constexpr std::uint64_t fingerprint_within() {
    if constexpr ((std::is_same_v<T, Around> || ...)) {
        return name_hash<T>;
    } else if constexpr (Parts<T>::count == 0) {
        return name_hash<T>;
    } else {
        return detail::fingerprint_of_parts<Around..., T>(name_hash<T>, Parts<T>{});
    }
}

template <class T>
inline constexpr std::uint64_t fingerprint_value = fingerprint_within<T>();

/// Returns the fingerprint of a type that crosses. Of a class with a hook only name and size are
/// known.
template <class T>
constexpr std::uint64_t fingerprint() {
    return fingerprint_value<T>;
}

} // namespace multiprocessing::inline v1::detail
