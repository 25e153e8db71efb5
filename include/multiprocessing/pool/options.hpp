#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  How a Pool is made, and how a map in it is done.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/start_method.hpp>

#include <optional>

namespace multiprocessing::inline v1 {

/// What a Pool does at the end of its scope with work that is not done.
enum class OnExit {
    terminate, ///< Ends the workers; whoever waits gets CancelledError. Python: leaving `with Pool()`.
    join,      ///< Finishes it: close() and join().
};

/// How a Pool is made.
struct PoolOptions {
    Count processes = {};                         ///< How many workers. Default: process_cpu_count().
    Count maxtasksperchild = {};                  ///< After so many tasks a worker is replaced. Default: never.
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method().
    OnExit on_exit = OnExit::terminate;
};

/// How a map is done.
struct MapOptions {
    Count chunksize = {};   ///< Items that a worker takes at once. Default: what is left / (2 x workers).
    Progress progress = {}; ///< Whether and how its progress is shown.
};

} // namespace multiprocessing::inline v1
