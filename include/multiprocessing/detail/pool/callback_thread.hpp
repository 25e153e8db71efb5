#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file callback_thread.hpp  The one thread of a pool that runs callbacks of the program's: made at
/// the first use.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <mutex>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A thread that runs when it is needed, and ends by itself. It keeps alive what it works on, and
/// may be the last to: it is never joined, but waited for, as a callback may destroy the pool whose
/// thread it runs in.
class CallbackThread {
public:
    /// Starts a thread that calls `run()`, if there is none.
    template <class Run>
    void need(Run run) {
        std::lock_guard lock{mutex_};
        if (id_ != std::thread::id{}) return;
        const platform::AllSignalsBlocked program_handles_signals;
        ++this_process().own_threads;
        ScopeExit no_thread{[] { --this_process().own_threads; }};
        std::thread thread{[run = std::move(run)]() mutable {
            run();
            { const Run over = std::move(run); } // before it is not counted any more
            --this_process().own_threads;
        }};
        no_thread.release();
        id_ = thread.get_id();
        thread.detach();
    }

    /// By that thread, when nothing is left to do: then it returns, and does nothing any more. What
    /// comes next makes another thread.
    void end() {
        std::lock_guard lock{mutex_};
        id_ = {};
    }

    /// Whether there is none, or it is the calling thread.
    bool is_elsewhere_over() {
        std::lock_guard lock{mutex_};
        return id_ == std::thread::id{} || id_ == std::this_thread::get_id();
    }

private:
    Mutex mutex_;
    std::thread::id id_; // none: there is no thread
};

} // namespace multiprocessing::inline v1::detail
