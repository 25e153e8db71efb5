#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file adaptive_spin.hpp  How long a consumer of a ring lets records come together, learned from
/// what came.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is no patience yet. For a consumer, where another process puts.
///
/// A consumer that is faster than the producer on another core would poll the count at each record,
/// and that costs the two of them a transfer of the lines of the count and of the record each time:
/// 136 ns for 64 bytes. Some microseconds' pauses let many records come together: 22 ns. So a
/// consumer that found a record as soon as it looked again is more patient the next time; and less
/// patient if it waited long, or for so few that they are late by more than that saves.
class Patience {
public:
    /// Spins for a while, as there was no record; returns whether there is one now. `came()`
    /// returns how many there are.
    template <class Came>
    bool catches_up(const ParkingPlace& place, Came came) {
        const std::uint32_t poster = place.poster.load(std::memory_order_relaxed);
        if (poster == 0 || poster == platform::current_processor() + 1 || spin_budget().count() == 0)
            return false;
        constexpr std::uint32_t most = 128; // 3 to 6 us; with 32 messages of 8 bytes cost twice as much
        for (std::uint32_t i = 0; i < pauses_; ++i) platform::pause();
        if (const std::uint64_t records = came()) {
            pauses_ = records > 1 + pauses_ / 8 ? (std::min)(most, pauses_ + 1) : pauses_ / 2;
            return true;
        }
        for (int polls = 0; polls < 3; ++polls) {
            platform::pause();
            if (!came()) continue;
            pauses_ = (std::min)(most, 2 * pauses_ + 2);
            return true;
        }
        pauses_ /= 2;
        return false;
    }

private:
    std::uint32_t pauses_ = 0;
};

} // namespace multiprocessing::inline v1::detail
