#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file version.hpp  The one home of the version; CMake reads it from here.

/// Source version, as major * 10000 + minor * 100 + patch. A change of the major number is a change
/// of the inline namespace, so that two majors can live in one program and a mixed link fails by
/// name.
#define MULTIPROCESSING_VERSION_MAJOR 1
#define MULTIPROCESSING_VERSION_MINOR 0
#define MULTIPROCESSING_VERSION_PATCH 0
#define MULTIPROCESSING_VERSION                                                                                \
    (MULTIPROCESSING_VERSION_MAJOR * 10000 + MULTIPROCESSING_VERSION_MINOR * 100 +                             \
     MULTIPROCESSING_VERSION_PATCH)
