#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file progress_display.hpp  How the progress of a map is shown: a bar, a line, or calls of a
/// function.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/progress/bar_board.hpp>
#include <multiprocessing/detail/progress/progress_line.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

namespace multiprocessing::inline v1::detail {

/// How far something is.
struct ProgressCount {
    std::size_t done = 0;
    std::size_t total = 0; ///< 0: not known.
    std::size_t failed = 0;
    double under_way = 0;
};

/// Shows the progress of one map, also if several threads wait for it. One thread at a time shows
/// it, without a mutex, as a function of the program's may be called; the others go on. The end is
/// shown once, by the thread that sees it or is showing at that moment.
class ProgressDisplay {
public:
    explicit ProgressDisplay(Progress progress);

    bool wanted() const noexcept { return progress_.wanted(); }
    /// For a thread that does not wait: whether it is time to show it again.
    bool is_due() noexcept;

    /// Waits by `wait(deadline)`, and shows meanwhile what `count()` returns.
    template <class Wait, class Count>
    bool wait(const Deadline& deadline, Wait wait, Count count) {
        for (;;) {
            const bool over = wait(deadline.sooner(Deadline::after(interval)));
            if (over) show_end(count());
            if (over || deadline.passed()) return over;
            show(count());
        }
    }

    void show(const ProgressCount& count);

    void show_end(const ProgressCount& count);

private:
    using Clock = std::chrono::steady_clock;

    enum State { idle, showing, ending, ended };

    static constexpr std::chrono::milliseconds interval{100};

    void print(const ProgressCount& count, bool at_end);

    const Progress progress_;
    const std::string label_;
    const bool has_bar_;
    const Clock::time_point begin_ = Clock::now();
    Clock::time_point last_line_ = begin_;
    Clock::time_point last_shown_ = begin_; // of the one thread that calls is_due()
    SmoothedRate rate_;                     // of the thread that shows, as is the bar
    BarBoard::Bar bar_;
    // By a thread that sees the end, for the one that is showing. Two that see it have the same.
    std::atomic<std::size_t> end_done_{0};
    std::atomic<std::size_t> end_total_{0};
    std::atomic<std::size_t> end_failed_{0};
    std::atomic<int> state_{idle};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <algorithm>
#include <utility>

namespace multiprocessing::inline v1::detail {

// A child's bar and its parent's would be written over each other.
MULTIPROCESSING_INLINE ProgressDisplay::ProgressDisplay(Progress progress)
    : progress_(std::move(progress)),
      label_(without_controls(progress_.label())),
      has_bar_(platform::is_terminal_error() && platform::can_move_cursor() && this_process().life() == 0) {}

MULTIPROCESSING_INLINE bool ProgressDisplay::is_due() noexcept {
    const auto now = Clock::now();
    if (now - last_shown_ < interval) return false;
    last_shown_ = now;
    return true;
}

MULTIPROCESSING_INLINE void ProgressDisplay::show(const ProgressCount& count) {
    int state = idle;
    if (!state_.compare_exchange_strong(state, showing, std::memory_order_acquire)) return;
    {
        ScopeExit shown{[&] { // even if the function throws
            state = showing;
            if (!state_.compare_exchange_strong(state, idle, std::memory_order_acq_rel))
                state_.store(ended, std::memory_order_relaxed);
        }};
        print(count, false);
    }
    if (state == ending) { // state_ is `ended`: no other thread comes here
        print({end_done_.load(std::memory_order_relaxed), end_total_.load(std::memory_order_relaxed),
               end_failed_.load(std::memory_order_relaxed), 0},
              true);
    }
}

MULTIPROCESSING_INLINE void ProgressDisplay::show_end(const ProgressCount& count) {
    int state = state_.load(std::memory_order_relaxed);
    while (state == idle || state == showing) {
        if (state == showing) {
            end_done_.store(count.done, std::memory_order_relaxed);
            end_total_.store(count.total, std::memory_order_relaxed);
            end_failed_.store(count.failed, std::memory_order_relaxed);
        }
        if (!state_.compare_exchange_weak(state, state == idle ? ended : ending, std::memory_order_acq_rel))
            continue;
        if (state == idle) print(count, true);
        return;
    }
}

MULTIPROCESSING_INLINE void ProgressDisplay::print(const ProgressCount& count, bool at_end) {
    require_no_mutex();
    const auto now = Clock::now();
    ProgressReport report{count.done, count.total, now - begin_, count.failed, count.under_way};
    rate_.note(report.done, report.elapsed);
    report.rate = rate_.per_second();
    const auto columns = [] { return static_cast<std::size_t>((std::max)(1, platform::terminal_width() - 1)); };
    if (progress_.function()) {
        progress_.function()(report);
    } else if (has_bar_) {
        std::string line = progress_line(label_, report, at_end, columns(), platform::shows_blocks());
        at_end ? bar_.end(std::move(line)) : bar_.show(std::move(line));
    } else if (at_end || now - last_line_ >= std::chrono::seconds{3}) {
        // A map that is over before the first line was due says nothing: nobody had to wait.
        if (at_end && last_line_ == begin_) return;
        last_line_ = now;
        platform::write_error(progress_line(label_, report, at_end, 0, false) + "\n");
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
