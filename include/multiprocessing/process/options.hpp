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
    /// For people only. Default: `Process-1`, and `Process-1:1` for the first child of that.
    std::string name = {};
    /// Whether the child is a daemon: terminated, not waited for, when its parent ends. Default: as
    /// its parent.
    std::optional<bool> daemon = {};
    /// Default: get_start_method().
    std::optional<StartMethod> start_method = {};
    /// Changes to the child's environment. Static initialisers of the child see them only if it is
    /// started by spawn on POSIX; otherwise they have run before.
    Environment env = {};
    /// The working directory of the child; start() throws `std::system_error` if there is none.
    /// Default: its parent's, as it is at start().
    std::optional<std::filesystem::path> cwd = {};
};

} // namespace multiprocessing::inline v1
