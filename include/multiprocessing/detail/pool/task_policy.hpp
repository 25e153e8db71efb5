#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_policy.hpp  What a task, or each item of a map, may use, and what follows when its
/// worker ends.

#include <multiprocessing/detail/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// How many levels of urgency there are.
inline constexpr std::size_t priority_levels = 3;

/// The options of a task or map that concern its failures, with the defaults of its pool.
struct TaskPolicy {
    std::chrono::nanoseconds time_limit{0}; ///< Of each item, from when it begins; 0: none.
    std::uint64_t memory_limit = 0;         ///< Bytes of its worker; 0: none.
    std::uint32_t retries = 0;              ///< Further attempts when its worker was lost or ended.
    bool fail_fast = false;                 ///< The first failure in time ends the map.
    std::uint8_t level = 1;                 ///< How urgent it is, from 0 on; see Priority.

    /// Whether somebody has to look at it while it runs.
    bool is_watched() const noexcept { return is_watched_closely() || memory_limit != 0; }
    /// Whether every few milliseconds.
    bool is_watched_closely() const noexcept { return time_limit.count() != 0 || fail_fast; }
    /// Whether the item is its unit.
    bool is_set() const noexcept { return is_watched() || retries != 0; }
};

/// How long a task waits before another attempt, of which `failures` went before.
constexpr std::chrono::nanoseconds retry_delay(std::uint32_t failures) noexcept {
    constexpr std::chrono::milliseconds first{100};
    constexpr std::chrono::seconds longest{10};
    return failures > 7 ? longest : std::chrono::nanoseconds{first} * (1 << (failures - 1));
}
static_assert(retry_delay(1) == std::chrono::milliseconds{100} &&
              retry_delay(7) == std::chrono::milliseconds{6400});

/// Why a worker ended that was at a task.
enum class EndReason : std::uint8_t {
    lost,        ///< By itself, or somebody ended it.
    time_limit,  ///< It was ended, as its task took too long.
    memory_limit ///< It was ended, as its task used too much.
};

} // namespace multiprocessing::inline v1::detail
