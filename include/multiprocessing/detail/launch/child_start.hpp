#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_start.hpp  What a child is told at its start.

#include <multiprocessing/detail/code/code_address.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_mask.hpp>
#include <multiprocessing/detail/launch/packed_call.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/util.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a new process is to be.
struct LaunchRequest {
    StartMethod method = StartMethod::spawn;
    ProcessIdentity identity = {};
    PackedCall call = {};                          ///< What it is to do.
    Environment env = {};                          ///< What is different in its environment.
    std::optional<std::filesystem::path> cwd = {}; ///< Where it works; none: where its parent does.
    bool serves = false;                           ///< A worker or server: Ctrl-C is not its business.
    bool supervised = false; ///< Its end is settled by its supervisor, not by the first thread that sees it.
    platform::SignalMask mask = child_mask();
};

/// Returns the handles that travel to it.
MULTIPROCESSING_INLINE std::span<const platform::Handle> handles_of(const LaunchRequest& request);

/// What a child is told. Crosses as bytes in a block of the parent's heap, unless the child is a
/// copy of its parent.
struct ChildStart {
    ProcessIdentity identity;
    ProcessIdentity parent;
    int parent_pid;
    Incarnation name;
    Position record; ///< Of its ChildRecord.
    ThunkAddress target;
    std::string target_file;
    std::vector<LeaseEntry> given;
    std::optional<StartMethod> default_method;
    LogLevel log_level;
    Environment env;
    std::string cwd; ///< Absolute; empty: where it finds itself.
    bool serves;
    platform::Capabilities capabilities; ///< Of the thread that starts it.
    /// Runs before the target: the function of set_forkserver_preload(), in the server, and in a
    /// child that is started by spawn in its place. `has_preload` says whether there is one.
    CodeAddress preload;
    bool has_preload;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::span<const platform::Handle> handles_of(const LaunchRequest& request) {
    const auto& handles = request.call.handles;
    return handles ? std::span<const platform::Handle>(*handles) : std::span<const platform::Handle>{};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
