#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream_progress.hpp  The progress of an iteration over results.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/progress/progress_display.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <ranges>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// How many elements the range has; 0 if that is not known without reading it.
template <class Range>
std::size_t size_if_known([[maybe_unused]] Range& range) {
    if constexpr (std::ranges::sized_range<Range>) {
        return static_cast<std::size_t>(std::ranges::size(range));
    } else {
        return 0;
    }
}

/// Shows how many results were taken, in the thread that takes them, while that waits for the next
/// one. Nothing if no progress is wanted.
class StreamProgress {
public:
    StreamProgress() = default;
    /// `total`: of the results; 0: not known.
    StreamProgress(Progress progress, std::size_t total) : total_(total) {
        if (progress.wanted()) display_ = std::make_unique<ProgressDisplay>(std::move(progress));
    }

    bool wanted() const noexcept { return display_ != nullptr; }

    /// A result was taken.
    void note(bool failed = false) noexcept {
        ++taken_;
        if (failed) ++failed_;
    }

    /// Waits by `wait(deadline)`; `under_way()` is what calls have done whose results are not there
    /// yet.
    template <class Wait, class UnderWay>
    bool wait(const Deadline& deadline, Wait wait, UnderWay under_way) {
        if (!display_) return wait(deadline);
        for (;;) {
            if (display_->is_due()) display_->show(count(under_way()));
            if (wait(deadline.sooner(Deadline::after(std::chrono::milliseconds{100})))) return true;
            if (deadline.passed()) return false;
        }
    }

    /// No result is left.
    void end() {
        if (display_) std::exchange(display_, nullptr)->show_end(count(0));
    }

private:
    /// A range that has grown meanwhile has a total all the same.
    ProgressCount count(double under_way) const {
        return {taken_, total_ ? (std::max)(total_, taken_) : 0, failed_, under_way};
    }

    std::unique_ptr<ProgressDisplay> display_;
    std::size_t total_ = 0;
    std::size_t taken_ = 0;
    std::size_t failed_ = 0;
};

} // namespace multiprocessing::inline v1::detail
