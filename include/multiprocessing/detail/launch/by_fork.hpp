#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_fork.hpp  Start method fork: the child continues in a copy of this process.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

namespace multiprocessing::inline v1::detail {

/// Warns, once per process, of what a fork beside threads may do.
MULTIPROCESSING_INLINE void warn_of_threads(StartNotes& notes);

/// Runs the child's side of a fork; does not return, and lets nothing unwind into the frames that
/// it shares with its parent.
[[noreturn]] MULTIPROCESSING_INLINE void live_as_fork(PendingChild& birth, const LaunchRequest& request,
                                                      TreeMember& parent, bool shares_ids,
                                                      const Thunk& target) noexcept;

MULTIPROCESSING_INLINE platform::Child start_by_fork(PendingChild& birth, const LaunchRequest& request,
                                                     StartNotes& notes);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void warn_of_threads(StartNotes& notes) {
    std::atomic<bool>& warned = this_process().warned_of_threads;
    if (warned.load(std::memory_order_relaxed)) return;
    const std::optional<int> threads = platform::foreign_threads(this_process().own_threads);
    if (threads == 0 || warned.exchange(true)) return;
    notes.warnings.push_back("fork() beside " + (threads ? std::to_string(*threads) : "an unknown number of") +
                             " other thread(s): a lock that one of them holds stays locked in the child "
                             "forever; use the start method 'forkserver' or 'spawn'");
}

MULTIPROCESSING_INLINE void live_as_fork(PendingChild& birth, const LaunchRequest& request, TreeMember& parent,
                                         bool shares_ids, const Thunk& target) noexcept {
    // Other threads may have printed since the flush before the fork.
    platform::drop_what_was_printed();
    try {
        ChildRecord& record = parent.space.at<ChildRecord>(birth.start.record);
        process_wide<Tree>().join(parent.owner, birth.start.name, &record.touched, shares_ids);
        become_child(birth.start, std::move(birth.strand.child), std::move(birth.alive.writer));
        // From here on they are this process's own: a child of its will not have them. The request
        // is never destroyed here.
        for (const platform::Handle& handle : handles_of(request))
            this_process().given.emplace_back(handle.native());
        platform::take_null_input();
        request.mask.apply();
    } catch (const std::exception& error) { refuse_child(birth.start, error); }
    run_child(birth.start, request.call.payload, target);
}

MULTIPROCESSING_INLINE platform::Child start_by_fork(PendingChild& birth, const LaunchRequest& request,
                                                     StartNotes& notes) {
    warn_of_threads(notes);
    platform::flush_standard_streams(); // else what is buffered here is written twice
    std::vector<platform::NativeHandle> kept{birth.strand.child.native(), birth.alive.writer.native()};
    for (const auto& handle : handles_of(request)) kept.push_back(handle.native());
    TreeMember& parent = tree();
    process_wide<Tree>().prepare_join();
    // Asked here, where the pages that it needs are not copied first.
    const bool shares_ids = platform::children_share_ids();
    const Thunk& target = resolve(request.call.target, request.call.target_file);
    // A signal handler that calls std::exit() in the middle of the fork would find every lock
    // taken, by its own thread.
    const platform::AllSignalsBlocked in_one_piece;
    const StartByFork start{kept};
    const int pid = platform::fork_process();
    if (pid == 0) live_as_fork(birth, request, parent, shares_ids, target);
    // Not tied to the lifeline from here: the child does that before anything else, and looks
    // whether we still live.
    return platform::Child{pid};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
