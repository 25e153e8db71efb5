#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file bench.hpp  Measures taken in turn, ours and a peer's, and the line of the table that compares the best of both.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

namespace bench {

using Clock = std::chrono::steady_clock;

/// Keeps the compiler from throwing away what only a bench wants to be computed.
template <class T>
inline void keep(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

/// Seconds that `action()` took; or what it returns, if it measures by itself.
template <class Action>
double seconds(Action&& action) {
    if constexpr (std::is_same_v<std::invoke_result_t<Action&>, double>) {
        return action();
    } else {
        const auto begin = Clock::now();
        action();
        return std::chrono::duration<double>(Clock::now() - begin).count();
    }
}

/// How a number is shown; all are seconds or bytes inside.
enum class Unit { seconds, bytes };

inline std::string text(double value, Unit unit) {
    struct Scale {
        double factor;
        const char* name;
    };
    static constexpr Scale times[]{{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
    static constexpr Scale sizes[]{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};
    const Scale* scale = unit == Unit::seconds ? times : sizes;
    for (const Scale* const last = scale + 3; scale != last && value < scale->factor;) ++scale;
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.3g %s", value / scale->factor, scale->name);
    return buffer;
}

/// A line of the table: the ratio of ours to the peer's, and the most that it should be, if there is a goal.
inline void row(const std::string& measure, double ours, double peer, std::optional<double> at_most,
                Unit unit = Unit::seconds) {
    const double ratio = ours / peer;
    char goal[32] = "";
    if (at_most) std::snprintf(goal, sizeof goal, "%.3g", *at_most);
    std::printf("| %s | %s | %s | %.3g | %s | %s |\n", measure.c_str(), text(ours, unit).c_str(),
                text(peer, unit).c_str(), ratio, goal,
                !at_most            ? ""
                : ratio <= *at_most ? "yes"
                                    : "**no**");
    std::fflush(stdout);
}

/// A line for what could not be compared.
inline void skipped(const std::string& measure, const char* why) {
    std::printf("| %s | | | | | %s |\n", measure.c_str(), why);
    std::fflush(stdout);
}

/// The best of both sides, which take turns, as the machine is never quiet for long: at least `rounds` turns (5 or more),
/// and more as long as there is time.
template <class Ours, class Peer>
void compare(const std::string& measure, std::optional<double> at_most, Ours ours, Peer peer, int rounds = 5,
             std::chrono::seconds time = std::chrono::seconds{3}) {
    seconds(ours); // both warm
    seconds(peer);
    double best = std::numeric_limits<double>::max();
    double best_peer = best;
    const auto end = Clock::now() + time;
    for (int round = 0; round < rounds || Clock::now() < end; ++round) {
        best = std::min(best, seconds(ours));
        best_peer = std::min(best_peer, seconds(peer));
    }
    row(measure, best, best_peer, at_most);
}

} // namespace bench
