#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file semaphore_body.hpp  A counter that processes take from and add to, and wait for.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space. What was acquired has no owner: a process that dies without a release keeps
/// it, as in every semaphore.
class SemaphoreBody {
public:
    static constexpr std::uint32_t most = 0x7FFF'FFFF; // SEM_VALUE_MAX

    std::uint32_t value() const noexcept { return value_.load(std::memory_order_relaxed); }
    void set(std::uint32_t value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        first_ = value;
    }
    /// Returns the value that it was made with.
    std::uint32_t first() const noexcept { return first_; }

    bool try_acquire() noexcept {
        std::uint32_t value = value_.load(std::memory_order_relaxed);
        while (value != 0) {
            if (value_.compare_exchange_weak(value, value - 1, std::memory_order_acquire,
                                             std::memory_order_relaxed))
                return true;
        }
        return false;
    }

    /// Returns false when the deadline passed.
    bool acquire(const platform::Parking& parking, const Deadline& deadline) {
        if (try_acquire()) return true;
        for (;;) {
            const std::uint32_t seen = changes_.load(std::memory_order_seq_cst);
            sleepers_.store(1, std::memory_order_seq_cst);
            // Either a release sees the flag, or this sees what it released.
            if (value_.load(std::memory_order_seq_cst) != 0 && try_acquire()) {
                // Others may sleep on, whose wake was this one's, or fell together with it: the
                // wake is passed on.
                if (value() != 0) wake(parking);
                return true;
            }
            if (deadline.passed()) return false;
            parking.sleep(changes_, seen, deadline.left(slice));
        }
    }

    /// Returns false if it would be more than `limit`.
    bool release(const platform::Parking& parking, std::uint32_t limit) noexcept {
        std::uint32_t value = value_.load(std::memory_order_relaxed);
        do {
            if (value >= limit) return false;
        } while (!value_.compare_exchange_weak(value, value + 1, std::memory_order_seq_cst));
        // Killed here: the waiters look again by themselves.
        if (sleepers_.load(std::memory_order_seq_cst) != 0) wake(parking);
        return true;
    }

private:
    void wake(const platform::Parking& parking) noexcept {
        sleepers_.store(0, std::memory_order_relaxed); // a sleeper that is woken sets it again, for the others
        changes_.fetch_add(1, std::memory_order_seq_cst);
        parking.wake_one(changes_);
    }

    std::atomic<std::uint32_t> value_{0};
    platform::Word changes_{0};
    std::atomic<std::uint32_t> sleepers_{0}; // a flag
    std::uint32_t first_ = 0;
};

} // namespace multiprocessing::inline v1::detail
