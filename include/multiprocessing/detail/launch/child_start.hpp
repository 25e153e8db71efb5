#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_start.hpp  What a child is told at its start.

#include <multiprocessing/detail/code/code_address.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/util.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a new process is to be.
struct LaunchRequest {
    StartMethod method = StartMethod::spawn;
    ProcessIdentity identity = {};
    ThunkAddress target = {};            ///< Entered with a TargetFrame.
    std::string target_file = {};        ///< Where that is, for errors.
    std::vector<std::byte> payload = {}; ///< The target's callable and arguments.
    /// Shared objects among the arguments, in the order of their mention.
    std::vector<std::shared_ptr<SharedObject>> given = {};
    /// Handles of the system among them; the words in the payload are their places. Stay open here.
    std::shared_ptr<const std::vector<platform::Handle>> handles = {};
    Environment env = {};           ///< What is different in its environment.
    std::filesystem::path cwd = {}; ///< Where it works; empty: where its parent does.
    bool serves = false;            ///< A worker or server: Ctrl-C is not its business.
    bool supervised = false;        ///< Its end is dealt with by who started it, not by whoever sees it first.
    platform::SignalMask mask = platform::SignalMask::of_caller();
};

/// The handles that travel to it.
inline std::span<const platform::Handle> handles_of(const LaunchRequest& request) {
    return request.handles ? std::span<const platform::Handle>(*request.handles)
                           : std::span<const platform::Handle>{};
}

/// What the target of a child works on.
struct TargetFrame {
    std::span<const std::byte> payload;
    std::span<const LeaseEntry> given;
    std::span<platform::Handle> handles;
};

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
