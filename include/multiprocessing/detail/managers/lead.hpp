#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lead.hpp  Which thread of a manager's server takes calls, and which one is next.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/layout.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Which thread of a manager's server takes calls, and which ones wait to do so.
///
/// One thread leads. While it is in code that may take long it says so; a client that has waited
/// for a millisecond then calls a spare, which takes the lead over: the thread that led by another
/// number leads no longer. All members but the constructor are called with the server's mutex.
class Lead {
public:
    using Lock = std::unique_lock<Mutex>;

    /// `serve` is what a thread runs; of `max_calls` + 1 threads at most.
    Lead(const ManagerLink& link, std::uint32_t max_calls, std::function<void()> serve)
        : link_(link), body_(link.body()), max_calls_(max_calls), serve_(std::move(serve)) {}

    /// Starts a thread, which is idle as soon as it runs. Returns whether there is one more.
    bool make_spare();
    bool has_spare() const noexcept { return idle_ != 0; }
    /// Waits, as one of the idle. Returns false if this thread is needed no longer.
    bool wait_for(Lock& lock);
    /// The thread that led is idle.
    void become_spare() noexcept { ++idle_; }

    /// The number by which the leader leads.
    std::uint64_t number() const noexcept { return number_; }
    /// The leader says that it may be long, so that others know whom to call.
    void enter_program();
    /// The thread that led by `number` is back; it may lead no longer.
    void leave_program(std::uint64_t number);
    bool is_in_program() const noexcept { return is_in_program_; }

    /// No thread leads any more; those that are in no call end. To be followed by a post of both
    /// places.
    void end() noexcept {
        has_ended_ = true;
        body_.help.fetch_add(1, std::memory_order_seq_cst);
    }
    bool has_ended() const noexcept { return has_ended_; }
    std::uint32_t threads() const noexcept { return threads_; }

private:
    const ManagerLink& link_;
    ManagerBody& body_;
    const std::uint32_t max_calls_;
    const std::function<void()> serve_;
    std::uint64_t number_ = 0;
    bool has_leader_ = false;
    bool has_ended_ = false;
    bool is_in_program_ = false;    // the leader
    std::uint32_t help_before_ = 0; // body_.help when it went there
    std::uint32_t threads_ = 0;
    std::uint32_t idle_ = 0; // spares that wait for the lead
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <exception>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool Lead::make_spare() {
    if (threads_ >= max_calls_ + 1) return false;
    const platform::AllSignalsBlocked program_handles_signals;
    ++this_process().own_threads;
    ++threads_;
    ++idle_; // it is one as soon as it runs
    try {
        std::thread([this] {
            platform::name_this_thread("mp-manager");
            serve_();
            --this_process().own_threads;
        }).detach();
        return true;
    } catch (const std::exception&) { // no thread, or no memory for one
        --this_process().own_threads;
        --threads_;
        --idle_;
        return false;
    }
}

MULTIPROCESSING_INLINE bool Lead::wait_for(Lock& lock) {
    constexpr std::chrono::seconds patience{10};
    for (;;) {
        const std::uint32_t help = body_.help.load(std::memory_order_seq_cst);
        if (has_ended_) {
            --idle_;
            --threads_;
            return false;
        }
        if (!has_leader_ || (is_in_program_ && help != help_before_)) {
            has_leader_ = true;
            is_in_program_ = false;
            body_.occupied.store(0, std::memory_order_relaxed);
            ++number_;
            --idle_;
            return true;
        }
        lock.unlock();
        const bool called = wait(link_.parking(), body_.help_place, Deadline::after(patience),
                                 [&] { return body_.help.load(std::memory_order_seq_cst) != help; });
        lock.lock();
        if (!called && idle_ > 2) {
            --idle_;
            --threads_;
            return false;
        }
    }
}

MULTIPROCESSING_INLINE void Lead::enter_program() {
    is_in_program_ = true;
    help_before_ = body_.help.load(std::memory_order_seq_cst);
    body_.occupied.store(1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void Lead::leave_program(std::uint64_t number) {
    if (number_ != number) return;
    is_in_program_ = false;
    body_.occupied.store(0, std::memory_order_relaxed);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
