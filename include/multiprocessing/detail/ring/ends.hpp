#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ends.hpp  What the two ends of a ring have in shared memory, each on cache lines of its
/// own.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/ring/adaptive_spin.hpp>
#include <multiprocessing/detail/ring/partial_record.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <array>
#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Where the next record is; `segment` 0: nowhere yet.
struct RingCursor {
    Position segment;
    std::uint64_t offset;

    friend bool operator==(const RingCursor&, const RingCursor&) = default;
};

/// What the holder of an end's lock alone uses. On a cache line of its own, as are the others.
struct alignas(64) RingEnd {
    RecoveringLock lock;
    /// The other end's count, when it was last looked at: not to touch its line each time.
    std::uint64_t seen = 0;
    std::array<RingCursor, 2> at{};
    Patience patience; // of the taking end
};

/// What an end publishes, and where the other waits for that.
struct alignas(64) RingCount {
    std::atomic<std::uint64_t> count{0};
    ParkingPlace place;
    Draft draft; // of the putting end
};

} // namespace multiprocessing::inline v1::detail
