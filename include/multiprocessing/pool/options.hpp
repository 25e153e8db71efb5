#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  The options of a Pool, and of a map.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/start_method.hpp>

#include <optional>

namespace multiprocessing::inline v1 {

/// What the destructor of a Pool does with work that is not finished.
enum class OnExit {
    terminate, ///< Ends the workers; waiting calls throw CancelledError. Python: `with Pool()`.
    join,      ///< Finishes the work: close() and join().
};

/// The options of a Pool.
struct PoolOptions {
    Count processes = {};        ///< Number of workers. Default: process_cpu_count().
    Count maxtasksperchild = {}; ///< Tasks of a worker until it is replaced. Default: no limit.
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method().
    OnExit on_exit = OnExit::terminate;
};

/// The options of a map.
struct MapOptions {
    Count chunksize = {};   ///< Items that a worker takes at once. Default: what is left / (2 x workers).
    Progress progress = {}; ///< Whether and how its progress is shown.
};

} // namespace multiprocessing::inline v1
