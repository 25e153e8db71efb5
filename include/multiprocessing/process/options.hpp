#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  ProcessOptions: how a Process is made.

#include <multiprocessing/environment.hpp>
#include <multiprocessing/start_method.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace multiprocessing::inline v1 {

/// How a Process is made. Members that are not set are inherited from the calling process, or
/// chosen.
struct ProcessOptions {
    std::string name = {};           ///< Default: `Process-1`, `Process-1:2` for a child of that.
    std::optional<bool> daemon = {}; ///< Ended, not waited for, when its parent ends. Default: as its parent.
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method().
    /// Changes to the child's environment. Static initialisers of the child see them only if it is
    /// started by spawn on POSIX; otherwise they have run before.
    Environment env = {};
    std::optional<std::filesystem::path> cwd =
        {}; ///< The directory that the child works in. Default: its parent's.
};

} // namespace multiprocessing::inline v1
