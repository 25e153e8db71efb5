#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file patience.hpp  How long who takes from a ring lets records come together, learned from what came.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/resources.hpp>

#include <algorithm>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is no patience yet. For the one who takes, where another puts.
///
/// Who takes faster than another core puts would poll the count at each record, and that costs the two of them a transfer
/// of its line each time: 136 ns for 64 bytes. Some pauses let several records come together: 28 ns. So whoever found a
/// record as soon as it looked again is more patient the next time; who waited long, or for one alone, less.
class Patience {
public:
    /// There was no record: whether there is one when we have been patient. `came()` tells how many there are.
    template <class Came>
    bool catches_up(const ParkingPlace& place, Came came) {
        const std::uint32_t poster = place.poster.load(std::memory_order_relaxed);
        if (poster == 0 || poster == platform::current_processor() + 1 || spin_budget().count() == 0)
            return false;
        constexpr std::uint32_t most = 32;
        for (std::uint32_t i = 0; i < pauses_; ++i) platform::pause();
        if (const std::uint64_t records = came()) {
            pauses_ = records > 1 ? (std::min)(most, pauses_ + 1) : pauses_ / 2;
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
