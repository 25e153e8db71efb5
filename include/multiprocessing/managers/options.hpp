#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  How a manager is made.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <optional>

namespace multiprocessing::inline v1::managers {

/// How a manager is made. All members are optional.
struct ManagerOptions {
    std::optional<StartMethod> start_method = {}; ///< Of the server. Default: get_start_method().
    /// How long shutdown() lets calls run on that run already, before it ends the server.
    Timeout shutdown_timeout = std::chrono::seconds{1};
    /// How many calls may run at once, each with a thread of the server; where all are in calls
    /// that take long, further calls throw `std::system_error`. Default: 256.
    Count max_calls = {};
};

} // namespace multiprocessing::inline v1::managers
