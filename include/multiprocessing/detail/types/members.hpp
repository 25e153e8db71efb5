#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file members.hpp  The members of an aggregate with a given number of them; up to 64.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// How many members reflection can tell apart.
inline constexpr std::size_t most_members = 64;

/// What can be asked about an aggregate when its members are `Count`:
/// * `fits<T>`: whether T has at least that many, counted by `{}`, which initialises exactly one,
///   be it a number, an array or another aggregate; `fits_with<T, X>`: whether there is one more
///   that an X initialises;
/// * `apply(value, use)`: `use(member...)`;
/// * `takes<Use>(value)`: whether that call is well-formed; with a bit-field and a Use that takes
///   references it is not.
template <std::size_t Count>
struct Members;

template <>
struct Members<0> {
    template <class T>
    static constexpr bool fits = requires { T{}; };
    template <class T, class X>
    static constexpr bool fits_with = requires { T{std::declval<X>()}; };
    template <class T, class Use>
    static constexpr decltype(auto) apply(T&, Use&& use) {
        return use();
    }
    template <class Use, class T>
    static constexpr auto takes(T&) {
        return std::true_type{};
    }
};

// C++20 can neither name the members as a pack nor repeat `{}`: the one place where a macro writes
// code.
#define MULTIPROCESSING_MEMBERS(count, braces, ...)                                                            \
    template <>                                                                                                \
    struct Members<count> {                                                                                    \
        template <class T>                                                                                     \
        static constexpr bool fits = requires { T{MULTIPROCESSING_LIST braces}; };                             \
        template <class T, class X>                                                                            \
        static constexpr bool fits_with = requires {                                                           \
            T{MULTIPROCESSING_LIST braces, std::declval<X>()};                                                 \
        };                                                                                                     \
        template <class T, class Use>                                                                          \
        static constexpr decltype(auto) apply(T& value, Use&& use) {                                           \
            auto& [__VA_ARGS__] = value;                                                                       \
            return use(__VA_ARGS__);                                                                           \
        }                                                                                                      \
        template <class Use, class T>                                                                          \
        static constexpr auto takes(T& value) {                                                                \
            auto& [__VA_ARGS__] = value;                                                                       \
            return std::bool_constant<requires(Use use) { use(__VA_ARGS__); }>{};                              \
        }                                                                                                      \
    };
#define MULTIPROCESSING_LIST(...) __VA_ARGS__
#define MULTIPROCESSING_B {}, {}, {}, {}, {}, {}, {}, {},
#define MULTIPROCESSING_N(p)                                                                                   \
    mp_##p##0, mp_##p##1, mp_##p##2, mp_##p##3, mp_##p##4, mp_##p##5, mp_##p##6, mp_##p##7,
// The eight after `count`, of which b and n are the braces and the names.
#define MULTIPROCESSING_EIGHT(count, b, n)                                                                     \
    MULTIPROCESSING_MEMBERS(count + 1, (b{}), n mp_0)                                                          \
    MULTIPROCESSING_MEMBERS(count + 2, (b{}, {}), n mp_0, mp_1)                                                \
    MULTIPROCESSING_MEMBERS(count + 3, (b{}, {}, {}), n mp_0, mp_1, mp_2)                                      \
    MULTIPROCESSING_MEMBERS(count + 4, (b{}, {}, {}, {}), n mp_0, mp_1, mp_2, mp_3)                            \
    MULTIPROCESSING_MEMBERS(count + 5, (b{}, {}, {}, {}, {}), n mp_0, mp_1, mp_2, mp_3, mp_4)                  \
    MULTIPROCESSING_MEMBERS(count + 6, (b{}, {}, {}, {}, {}, {}), n mp_0, mp_1, mp_2, mp_3, mp_4, mp_5)        \
    MULTIPROCESSING_MEMBERS(count + 7, (b{}, {}, {}, {}, {}, {}, {}), n mp_0, mp_1, mp_2, mp_3, mp_4, mp_5,    \
                            mp_6)                                                                              \
    MULTIPROCESSING_MEMBERS(count + 8, (b{}, {}, {}, {}, {}, {}, {}, {}), n mp_0, mp_1, mp_2, mp_3, mp_4,      \
                            mp_5, mp_6, mp_7)

MULTIPROCESSING_EIGHT(0, , )
MULTIPROCESSING_EIGHT(8, MULTIPROCESSING_B, MULTIPROCESSING_N(a))
MULTIPROCESSING_EIGHT(16, MULTIPROCESSING_B MULTIPROCESSING_B, MULTIPROCESSING_N(a) MULTIPROCESSING_N(b))
MULTIPROCESSING_EIGHT(24, MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B,
                      MULTIPROCESSING_N(a) MULTIPROCESSING_N(b) MULTIPROCESSING_N(c))
MULTIPROCESSING_EIGHT(32, MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B,
                      MULTIPROCESSING_N(a) MULTIPROCESSING_N(b) MULTIPROCESSING_N(c) MULTIPROCESSING_N(d))
MULTIPROCESSING_EIGHT(40,
                      MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B,
                      MULTIPROCESSING_N(a) MULTIPROCESSING_N(b) MULTIPROCESSING_N(c) MULTIPROCESSING_N(d)
                          MULTIPROCESSING_N(e))
MULTIPROCESSING_EIGHT(48,
                      MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B
                          MULTIPROCESSING_B,
                      MULTIPROCESSING_N(a) MULTIPROCESSING_N(b) MULTIPROCESSING_N(c) MULTIPROCESSING_N(d)
                          MULTIPROCESSING_N(e) MULTIPROCESSING_N(f))
MULTIPROCESSING_EIGHT(56,
                      MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B MULTIPROCESSING_B
                          MULTIPROCESSING_B MULTIPROCESSING_B,
                      MULTIPROCESSING_N(a) MULTIPROCESSING_N(b) MULTIPROCESSING_N(c) MULTIPROCESSING_N(d)
                          MULTIPROCESSING_N(e) MULTIPROCESSING_N(f) MULTIPROCESSING_N(g))

#undef MULTIPROCESSING_EIGHT
#undef MULTIPROCESSING_N
#undef MULTIPROCESSING_B
#undef MULTIPROCESSING_LIST
#undef MULTIPROCESSING_MEMBERS

} // namespace multiprocessing::inline v1::detail
