#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file config.hpp  The one place that looks at the compiler and names the platform.

#include <multiprocessing/version.hpp>

#if !defined(__cplusplus) || (__cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L))
#error "multiprocessing needs C++20: compile with -std=c++20 or newer"
#include <multiprocessing/see_the_error_above> // no such file: the compiler stops here, not 200 errors later
#endif

#if !defined(__cpp_exceptions) || !defined(__cpp_rtti)
#error                                                                                                         \
    "multiprocessing reports errors by exceptions and names their types: remove -fno-exceptions and -fno-rtti"
#include <multiprocessing/see_the_error_above>
#endif

// The platform, named once. Everything above detail/platform asks a contract, never the compiler.
#if defined(_WIN32)
#define MULTIPROCESSING_PLATFORM_WIN32 1
#elif defined(__linux__)
#define MULTIPROCESSING_PLATFORM_POSIX 1
#else
#error "multiprocessing runs on Linux and Windows; another platform is one more folder beside detail/posix"
#endif

// What is one per process must be one also for plugins that are built with -fvisibility=hidden.
#if defined(_WIN32)
#define MULTIPROCESSING_VISIBLE
#else
#define MULTIPROCESSING_VISIBLE __attribute__((visibility("default")))
#endif

namespace multiprocessing::inline v1::detail {

/// Changes whenever a structure that two images or two processes share changes its layout.
inline constexpr unsigned abi_version = 7;

/// The tests build the library with checks that are too costly for programs.
#if defined(MULTIPROCESSING_CHECKED)
inline constexpr bool checked_build = true;
#else
inline constexpr bool checked_build = false;
#endif

} // namespace multiprocessing::inline v1::detail
