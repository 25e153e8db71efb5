#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file aggregate_probe.hpp  Fields of an aggregate that `{}` does not make, so that an error can
/// name the one at fault.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/reflection.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

// Nothing of this is instantiated while all types cross: it converts, and so may make a compiler
// look into what the fields' constructors do. It needs copyable fields, else it finds none.
namespace multiprocessing::inline v1::detail {

/// How many initialisers are tried at most.
inline constexpr std::size_t most_probes = 24;

/// Returns whether copies of a U compile. `std::is_copy_constructible` believes a container of what
/// cannot be copied.
template <class U>
constexpr bool can_be_copied() {
    if constexpr (!std::is_copy_constructible_v<U>) {
        return false;
    } else if constexpr (requires { typename U::value_type; }) {
        if constexpr (!std::is_same_v<typename U::value_type, U>)
            return can_be_copied<typename U::value_type>();
    }
    return true;
}

/// Initialises any field that can be copied, or is a reference.
struct AnyCopyable {
    AnyCopyable(const AnyCopyable&) = delete;
    template <class U>
        requires(can_be_copied<std::remove_cv_t<U>>())
    operator U&() const;
};

template <std::size_t>
using ProbeAt = AnyCopyable;

template <class T, std::size_t... Before>
constexpr bool takes_probes(std::index_sequence<Before...>) {
    return requires { T{std::declval<ProbeAt<Before>>()...}; };
}

template <class T, std::size_t... Before, std::size_t... Behind>
constexpr bool takes_braces_between(std::index_sequence<Before...>, std::index_sequence<Behind...>) {
    return requires { T{std::declval<ProbeAt<Before>>()..., {}, std::declval<ProbeAt<Behind>>()...}; };
}

/// Returns the most initialisers that T takes, an array one for each of its elements; 0 if that
/// cannot be found.
template <class T, std::size_t Count = most_probes>
constexpr std::size_t initialiser_count() {
    if constexpr (Count == 0 || takes_probes<T>(std::make_index_sequence<Count>{})) {
        return Count;
    } else {
        return initialiser_count<T, Count - 1>();
    }
}

/// Returns how many of the initialisers, from number `Before` on, one `{}` stands for: more than
/// one for an array; one where `{}` does not do at all.
template <class T, std::size_t Before, std::size_t Behind>
constexpr std::size_t initialisers_of_field() {
    if constexpr (takes_braces_between<T>(std::make_index_sequence<Before>{},
                                          std::make_index_sequence<Behind>{})) {
        return initialiser_count<T>() - Before - Behind;
    } else if constexpr (Behind == 0) {
        return 1;
    } else {
        return initialisers_of_field<T, Before, Behind - 1>();
    }
}

template <class T, std::size_t Before = 0, std::size_t Fields = 0>
constexpr std::size_t probed_field_count() {
    constexpr std::size_t all = initialiser_count<T>();
    if constexpr (Before == all) {
        return Fields;
    } else {
        return probed_field_count<T, Before + initialisers_of_field<T, Before, all - Before - 1>(),
                                  Fields + 1>();
    }
}

} // namespace multiprocessing::inline v1::detail
