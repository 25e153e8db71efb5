#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file config.hpp  The one place that looks at the compiler and names the platform.

#include <multiprocessing/version.hpp> // for MULTIPROCESSING_VERSION

// Of an older compiler, or with options that cannot do, this is all that is said: what follows each
// #error does not exist, so that the compiler stops there and not some thousands of errors later.
#if defined(__clang__) && __clang_major__ < 16
#error "multiprocessing needs clang 16 or newer (or g++ 12 or newer): try clang++-16 or g++"
#include <multiprocessing/see_the_error_above>
// Clang 14 reads on in silence, and crashes in a requires-expression.
#define requires multiprocessing_needs_clang_16
#elif defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
#error "multiprocessing needs g++ 12 or newer (or clang 16 or newer): try g++-12"
#include <multiprocessing/see_the_error_above>
#endif

#if !defined(__cplusplus) || (__cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L))
#error "multiprocessing needs C++20: compile with -std=c++20 or newer"
#include <multiprocessing/see_the_error_above>
#endif

#if !defined(__cpp_exceptions) || !defined(__cpp_rtti)
#error                                                                                                         \
    "multiprocessing reports errors by exceptions and names their types: remove -fno-exceptions and -fno-rtti"
#include <multiprocessing/see_the_error_above>
#endif

// The platform, named once. Everything above detail/platform asks a contract, never the compiler.
#if defined(_WIN32)
#define MULTIPROCESSING_PLATFORM_WIN32 1
#define MULTIPROCESSING_PLATFORM_POSIX 0
#elif defined(__linux__)
#define MULTIPROCESSING_PLATFORM_WIN32 0
#define MULTIPROCESSING_PLATFORM_POSIX 1
#else
#error "multiprocessing runs on Linux and Windows; another platform is one more folder beside detail/posix"
#include <multiprocessing/see_the_error_above>
#endif

// What is one per process must be one also for plugins that are built with -fvisibility=hidden.
#if defined(_WIN32)
#define MULTIPROCESSING_VISIBLE
#else
#define MULTIPROCESSING_VISIBLE __attribute__((visibility("default")))
#endif

// Where the bodies of functions that are no templates are: in each program (the default), or once,
// in the library multiprocessing::compiled, whose one source defines MULTIPROCESSING_SOURCE.
#if !defined(MULTIPROCESSING_COMPILED)
#define MULTIPROCESSING_INLINE inline
#define MULTIPROCESSING_BODIES 1
#elif defined(MULTIPROCESSING_SOURCE)
#define MULTIPROCESSING_INLINE
#define MULTIPROCESSING_BODIES 1
#else
#define MULTIPROCESSING_INLINE
#define MULTIPROCESSING_BODIES 0
#endif

namespace multiprocessing::inline v1::detail {

/// Changes whenever a structure that two images or two processes share changes its layout.
inline constexpr unsigned abi_version = 13;

/// Integers wider than the standard's, which are arithmetic only where the compiler is told so.
template <class T>
inline constexpr bool is_wide_integer = false;
#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;
template <>
inline constexpr bool is_wide_integer<Int128> = true;
template <>
inline constexpr bool is_wide_integer<Uint128> = true;
#endif

/// The tests build the library with checks that are too costly for programs.
#if defined(MULTIPROCESSING_CHECKED)
inline constexpr bool checked_build = true;
#else
inline constexpr bool checked_build = false;
#endif

} // namespace multiprocessing::inline v1::detail
