#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file unfinished_count.hpp  How many of the records of a ring their consumers have finished:
/// task_done() and join() of a JoinableQueue.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is a valid one. `produced` is the count of the records that were
/// put, which the ring has.
class alignas(64) UnfinishedCount {
public:
    using Count = std::atomic<std::uint64_t>;

    /// Notes that one more record is finished. Returns false if all were before.
    bool finish_one(const platform::Parking& parking, const Count& produced) noexcept {
        std::uint64_t done = done_.load(std::memory_order_relaxed);
        do {
            if (done >= produced.load(std::memory_order_acquire)) return false;
        } while (!done_.compare_exchange_weak(done, done + 1, std::memory_order_seq_cst));
        if (all_done(produced)) post(parking, place_);
        return true;
    }

    /// Waits until all records are finished; returns false when the deadline passed.
    bool join(const platform::Parking& parking, const Count& produced, const Deadline& deadline) {
        return wait(parking, place_, deadline, [&] { return all_done(produced); });
    }

private:
    bool all_done(const Count& produced) const noexcept {
        const std::uint64_t done = done_.load(std::memory_order_seq_cst);
        return done == produced.load(std::memory_order_seq_cst);
    }

    std::atomic<std::uint64_t> done_{0};
    ParkingPlace place_;
};

} // namespace multiprocessing::inline v1::detail
