#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file event_body.hpp  An Event in shared memory.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// One word, so that a set is one step: a process that has seen and cleared a set cannot see it
/// again.
struct EventBody {
    static constexpr std::uint32_t set_bit = 1;
    /// set_bit, and twice the number of sets, so that a waiter also sees a set that was cleared at
    /// once.
    std::atomic<std::uint32_t> state;
    ParkingPlace place;
};

} // namespace multiprocessing::inline v1::detail
