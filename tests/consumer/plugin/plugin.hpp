#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file plugin.hpp  What a plugin, a library and their host know of each other: plain C functions, no types of ours.

#include <cstddef>

/// The same functions, in the plugin (by dlopen) and in the library (linked).
struct Face {
    /// Starts a process that lives until release(), by start method `method`; its id, or 0: see last_error().
    int (*start)(const char* method);
    /// Ends and joins what start() started; its exit code.
    int (*release)();
    /// Waits for its own end; its exit code.
    int (*wait)();
    /// How many children of this process are alive, and whether `pid` is one of them.
    std::size_t (*count_children)();
    bool (*has_child)(int pid);
    /// What a pool of `method` makes of 1, 2, 3: the sum of their squares; 0: see last_error().
    int (*sum_of_squares)(const char* method);
    /// Throws what the library throws for a wrong argument.
    void (*fail)();
    /// Where the library keeps its log.
    const void* (*logger)();
    const char* (*last_error)();
};

#define MP_TEST_EXPORT __attribute__((visibility("default")))
