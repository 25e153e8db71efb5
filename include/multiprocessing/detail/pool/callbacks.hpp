#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file callbacks.hpp  The one thread of a pool that runs callbacks of the program's, and the
/// results that wait for it.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_mask.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Results that have ended and whose hooks are to be called. Their thread is made at the first need
/// and ends by itself. It keeps alive what it works on, and may be the last to: it is waited for,
/// and never joined, as a callback may destroy the pool whose thread it runs in.
class Callbacks {
public:
    explicit Callbacks(const PoolView& view) : view_(view) {}

    /// The result has ended. wake() follows when no mutex is held.
    void add(std::shared_ptr<ResultBase> result) noexcept;
    void wake() noexcept;

    /// No work is left that could end: the thread ends when all callbacks have run.
    void end() noexcept;

    /// Starts the thread, if there is none. `owner` holds this object; `sweep()` adds what has
    /// ended, and returns whether more may.
    template <class Owner, class Sweep>
    void need_thread(std::shared_ptr<Owner> owner, Sweep sweep) {
        std::lock_guard lock{mutex_};
        if (thread_ != std::thread::id{}) return;
        const platform::SignalMask mask = child_mask();
        const platform::AllSignalsBlocked program_handles_signals;
        ++this_process().own_threads;
        ScopeExit no_thread{[] { --this_process().own_threads; }};
        std::thread thread{[this, owner = std::move(owner), sweep, mask]() mutable {
            mask_of_principal() = &mask;
            run(sweep);
            owner.reset();
            --this_process().own_threads;
        }};
        no_thread.release();
        thread_ = thread.get_id();
        thread.detach();
    }

    /// Waits until the thread has ended; false when the deadline passed. In that thread itself it
    /// returns true at once.
    bool join(const Deadline& deadline);

private:
    template <class Sweep>
    void run(Sweep sweep) noexcept {
        std::atomic<std::uint32_t>& ends = view_.shared().watched_ends;
        for (std::uint32_t seen = ends.load(std::memory_order_seq_cst);;) {
            const bool may_come = sweep();
            std::shared_ptr<ResultBase> result;
            bool is_last = false;
            {
                std::lock_guard lock{mutex_};
                if (!ended_.empty()) result = ended_.take_first();
                is_last = !result && !may_come && is_ending_.load(std::memory_order_seq_cst);
                if (is_last) thread_ = {}; // what is added from here on needs another thread
            }
            if (is_last) return post(view_.space().parking(), view_.shared().callbacks_ended);
            if (result) {
                result->call_hooks();
                continue;
            }
            wait(view_.space().parking(), view_.shared().callbacks, Deadline{},
                 [&] { return ends.load(std::memory_order_relaxed) != seen; });
            seen = ends.load(std::memory_order_seq_cst);
        }
    }

    const PoolView& view_;
    std::atomic<bool> needs_wake_{false};
    std::atomic<bool> is_ending_{false};
    Mutex mutex_; // taken beneath the table's
    EndedResults ended_;
    std::thread::id thread_; // none: there is no thread
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void Callbacks::add(std::shared_ptr<ResultBase> result) noexcept {
    std::lock_guard lock{mutex_};
    ended_.add(std::move(result));
    needs_wake_.store(true, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE void Callbacks::wake() noexcept {
    if (needs_wake_.exchange(false, std::memory_order_relaxed)) view_.call_back();
}

MULTIPROCESSING_INLINE void Callbacks::end() noexcept {
    is_ending_.store(true, std::memory_order_seq_cst);
    view_.call_back();
}

MULTIPROCESSING_INLINE bool Callbacks::join(const Deadline& deadline) {
    return wait(view_.space().parking(), view_.shared().callbacks_ended, deadline, [this] {
        std::lock_guard lock{mutex_};
        return thread_ == std::thread::id{} || thread_ == std::this_thread::get_id();
    });
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
