#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file progress_display.hpp  How the progress of a map is shown: a bar, a line, or calls of a
/// function.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Shows the progress of one map, also if several threads wait for it. One thread at a time shows
/// it, without a mutex, as a function of the program's may be called; the others go on. The end is
/// shown once, by the thread that sees it or is showing at that moment.
class ProgressDisplay {
public:
    explicit ProgressDisplay(Progress progress)
        : progress_(std::move(progress)), on_terminal_(platform::is_terminal_error()) {}

    bool wanted() const noexcept { return progress_.wanted(); }
    /// For a thread that does not wait: whether it is time to show it again.
    bool is_due() noexcept;

    /// Waits by `wait(deadline)`, and shows meanwhile how many of `total` are `done()`.
    template <class Wait, class Done>
    bool wait(const Deadline& deadline, std::size_t total, Wait wait, Done done) {
        for (;;) {
            const bool over = wait(deadline.sooner(Deadline::after(std::chrono::milliseconds{100})));
            if (over) show_end(total);
            if (over || deadline.passed()) return over;
            show(done(), total);
        }
    }

    void show(std::size_t done, std::size_t total);

    void show_end(std::size_t total);

private:
    using Clock = std::chrono::steady_clock;

    enum State { idle, showing, ending, ended };

    void print(std::size_t done, std::size_t total, bool at_end);

    static std::string time_text(double seconds);

    /// "1200/5000 items, 800/s, 0:05 left"
    std::string text(const ProgressReport& report) const;

    /// "[####......] 1200/5000 items, ...", one column less than the terminal has: a line that it
    /// broke in two could not be written over. Where that is too narrow for a bar, the words alone,
    /// as far as they go.
    std::string bar(const ProgressReport& report, int width);

    static constexpr std::size_t least_bar = 5;
    static constexpr std::size_t most_bar = 40;

    const Progress progress_;
    const bool on_terminal_;
    const Clock::time_point begin_ = Clock::now();
    Clock::time_point last_line_ = begin_;
    Clock::time_point last_shown_ = begin_; // of the one thread that calls is_due()
    std::size_t longest_ = 0;
    std::atomic<int> state_{idle};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool ProgressDisplay::is_due() noexcept {
    const auto now = Clock::now();
    if (now - last_shown_ < std::chrono::milliseconds{100}) return false;
    last_shown_ = now;
    return true;
}

MULTIPROCESSING_INLINE void ProgressDisplay::show(std::size_t done, std::size_t total) {
    int state = idle;
    if (!state_.compare_exchange_strong(state, showing, std::memory_order_acquire)) return;
    {
        ScopeExit shown{[&] { // even if the function throws
            state = showing;
            if (!state_.compare_exchange_strong(state, idle, std::memory_order_release))
                state_.store(ended, std::memory_order_relaxed);
        }};
        print(done, total, false);
    }
    if (state == ending) print(total, total, true); // state_ is `ended`: no other thread comes here
}

MULTIPROCESSING_INLINE void ProgressDisplay::show_end(std::size_t total) {
    for (int state = state_.load(std::memory_order_relaxed); state == idle || state == showing;) {
        if (!state_.compare_exchange_weak(state, state == idle ? ended : ending, std::memory_order_acquire))
            continue;
        if (state == idle) print(total, total, true);
        return;
    }
}

MULTIPROCESSING_INLINE void ProgressDisplay::print(std::size_t done, std::size_t total, bool at_end) {
    require_no_mutex();
    const auto now = Clock::now();
    const ProgressReport report{done, total, now - begin_};
    if (progress_.function()) {
        progress_.function()(report);
    } else if (on_terminal_) {
        platform::write_error("\r" + bar(report, platform::terminal_width()) + (at_end ? "\n" : ""));
    } else if (at_end || now - last_line_ >= std::chrono::seconds{3}) {
        // A map that is over before the first line was due says nothing: nobody had to wait.
        if (at_end && last_line_ == begin_) return;
        last_line_ = now;
        platform::write_error(text(report) + "\n");
    }
}

MULTIPROCESSING_INLINE std::string ProgressDisplay::time_text(double seconds) {
    const auto whole = std::lround((std::min)(seconds, 359'999.0));
    char text[32];
    if (whole >= 3600) {
        std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
    }
    return text;
}

MULTIPROCESSING_INLINE std::string ProgressDisplay::text(const ProgressReport& report) const {
    char rate[64];
    std::snprintf(rate, sizeof rate, report.per_second() < 10 ? ", %.1f/s, " : ", %.0f/s, ",
                  report.per_second());
    const bool over = report.done == report.total;
    return std::to_string(report.done) + "/" + std::to_string(report.total) + " " + progress_.label() + rate +
           (over ? "took " + time_text(report.elapsed.count()) : time_text(report.seconds_left()) + " left");
}

MULTIPROCESSING_INLINE std::string ProgressDisplay::bar(const ProgressReport& report, int width) {
    std::string line = text(report);
    const auto columns = static_cast<std::size_t>((std::max)(1, width - 1));
    if (line.size() + 3 + least_bar <= columns) {
        const std::size_t room = (std::min)(most_bar, columns - line.size() - 3);
        const auto filled = report.total ? static_cast<std::size_t>(static_cast<double>(room) *
                                                                    static_cast<double>(report.done) /
                                                                    static_cast<double>(report.total))
                                         : 0;
        line = "[" + std::string(filled, '#') + std::string(room - filled, '.') + "] " + line;
    }
    line.resize((std::min)(line.size(), columns));
    const std::size_t before = (std::min)(std::exchange(longest_, line.size()), columns);
    line.resize((std::max)(line.size(), before), ' '); // wipes out what was there
    return line;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
