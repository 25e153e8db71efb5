#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file progress.hpp  The progress of a map: shown to a person, or reported to a function.

#include <multiprocessing/detail/config.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// The state of a map.
struct ProgressReport {
    std::size_t done;  ///< Items that are through.
    std::size_t total; ///< Items in all.
    std::chrono::duration<double> elapsed;

    double per_second() const { return elapsed.count() > 0 ? static_cast<double>(done) / elapsed.count() : 0; }
    /// Returns the seconds that are left at this rate; 0 while the rate is 0.
    double seconds_left() const {
        const double rate = per_second();
        return rate > 0 ? static_cast<double>(total - done) / rate : 0;
    }
};

/// How a map reports its progress: not at all (false); by a bar on standard error (true, or a label
/// for it), or by a plain line every few seconds where standard error is no terminal; or by calls
/// of a function of the program.
///
/// The thread that waits for the map makes these calls, about ten times a second, and once at the
/// end. Reporting costs the workers nothing, as they note their position in any case.
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
