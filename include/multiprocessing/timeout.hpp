#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file timeout.hpp  How long a call may wait: Python's `timeout=2.5` and `timeout=None`.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <type_traits>

namespace multiprocessing::inline v1 {

/// How long a call may wait.
///
/// Converts from any `std::chrono::duration` (a negative one counts as 0) and from `std::nullopt`,
/// which means "forever"; not from bare numbers, which have no unit. Measured by the steady clock.
///
/// Python: the `timeout` argument of every blocking call.
class Timeout {
public:
    constexpr Timeout(std::nullopt_t) noexcept {}

    template <class Rep, class Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> span) : span_(clamped(span)) {}

    template <class Rep, class Period>
    constexpr Timeout(std::optional<std::chrono::duration<Rep, Period>> span) {
        if (span) span_ = clamped(*span);
    }

    template <class Number>
        requires std::is_arithmetic_v<Number>
    Timeout(Number) = delete; // say the unit: 2s, 500ms

    /// Returns the duration; nullopt for "forever".
    constexpr std::optional<std::chrono::nanoseconds> span() const noexcept { return span_; }

private:
    // Beyond a century (and for NaN) the arithmetic of steady clock deadlines could overflow.
    static constexpr std::chrono::nanoseconds longest = std::chrono::hours{24 * 36'500};

    template <class Rep, class Period>
    static constexpr std::chrono::nanoseconds clamped(std::chrono::duration<Rep, Period> span) {
        using Seconds = std::chrono::duration<double>;
        const double seconds = std::chrono::duration_cast<Seconds>(span).count();
        if (!(seconds > 0)) return std::chrono::nanoseconds{0};
        if (seconds >= std::chrono::duration_cast<Seconds>(longest).count()) return longest;
        return std::chrono::duration_cast<std::chrono::nanoseconds>(span);
    }

    std::optional<std::chrono::nanoseconds> span_;
};

/// Python's `timeout=None`.
inline constexpr Timeout no_timeout{std::nullopt};

namespace detail {

/// The instant at which a wait ends; every wait of the library passes one down.
class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    constexpr Deadline() noexcept = default; // never

    static Deadline after(Timeout timeout) {
        Deadline deadline;
        if (auto span = timeout.span()) deadline.at_ = Clock::now() + *span;
        return deadline;
    }

    /// Returns a deadline that has passed, without reading the clock.
    static constexpr Deadline passed_long_ago() noexcept {
        Deadline deadline;
        deadline.at_ = Clock::time_point{}; // the clock began before this process
        return deadline;
    }

    bool never() const noexcept { return at_ == end_of_time; }
    bool passed() const { return !never() && Clock::now() >= at_; }

    /// Returns the time that is left, at most `slice`; 0 after the deadline.
    std::chrono::nanoseconds left(std::chrono::nanoseconds slice) const {
        if (never()) return slice;
        return std::clamp<std::chrono::nanoseconds>(at_ - Clock::now(), std::chrono::nanoseconds{0}, slice);
    }

    /// Returns the earlier of two deadlines.
    Deadline sooner(Deadline other) const {
        other.at_ = (std::min)(at_, other.at_);
        return other;
    }

private:
    // Not an optional: g++ 12 takes an empty one, inlined, for the use of something uninitialised.
    static constexpr Clock::time_point end_of_time = (Clock::time_point::max)();

    Clock::time_point at_ = end_of_time;
};

} // namespace detail

} // namespace multiprocessing::inline v1
