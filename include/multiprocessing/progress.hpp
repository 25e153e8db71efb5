#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file progress.hpp  The progress of a map: shown to a person, or reported to a function.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// The state of a map.
struct ProgressReport {
    std::size_t done;  ///< Items that are through. Of an iterator over results: that were taken.
    std::size_t total; ///< Items in all; 0 while that is not known.
    std::chrono::duration<double> elapsed;
    std::size_t failed = 0; ///< Items among those that threw, or whose worker ended.
    double under_way = 0;   ///< What the items that run have done by now, as by `CurrentTask::progress`.
    double rate = 0;        ///< Items a second, lately; 0 while that is not known.

    /// Returns `rate`, or the mean since the begin while that is not known.
    double per_second() const {
        if (rate > 0) return rate;
        return elapsed.count() > 0 ? static_cast<double>(done) / elapsed.count() : 0;
    }
    /// Returns the seconds that are left at this rate; 0 while the rate or the total is not known.
    double seconds_left() const {
        const double left = static_cast<double>(total) - static_cast<double>(done) - under_way;
        const double items_a_second = per_second();
        return items_a_second > 0 ? (std::max)(left, 0.0) / items_a_second : 0;
    }
};

/// How a map reports its progress: not at all (false); by a bar on standard error (true, or a label
/// for it), or by a plain line every few seconds where standard error is no terminal; or by calls
/// of a function of the program.
///
/// Maps that go on at once have a bar each, below each other. A bar is of ASCII characters where
/// the locale is not of UTF-8, and a plain line where TERM is `dumb`, and in a child process.
///
/// The thread that waits for the map makes these calls, about ten times a second, and once at the
/// end. Reporting costs the workers nothing, as they note their position in any case.
///
/// Python: the package tqdm.
class Progress {
public:
    Progress() = default;
    template <std::same_as<bool> Flag> // not from pointers
    Progress(Flag shown) {
        if (shown) label_ = "items";
        shown_ = shown;
    }
    Progress(std::string label) : label_(std::move(label)), shown_(true) {}
    Progress(const char* label) : Progress(std::string(label)) {}
    template <std::invocable<const ProgressReport&> Function>
    Progress(Function function) : function_(std::move(function)) {}

    bool wanted() const noexcept { return shown_ || function_; }
    const std::string& label() const noexcept { return label_; }
    const std::function<void(const ProgressReport&)>& function() const noexcept { return function_; }

private:
    std::string label_;
    bool shown_ = false;
    std::function<void(const ProgressReport&)> function_;
};

} // namespace multiprocessing::inline v1
