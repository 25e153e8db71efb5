#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file turn.hpp  Holding a recovering lock, or not: a guard that can be moved.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/timeout.hpp>

#include <utility>

namespace multiprocessing::inline v1::detail {

/// Holds a lock, if it could be had in time.
class RecoveringLockGuard {
public:
    RecoveringLockGuard() noexcept = default;
    RecoveringLockGuard(RecoveringLock& lock, const platform::Parking& parking, const Deadline& deadline)
        : lock_(&lock), parking_(&parking), mine_(lock.acquire(parking, this_thread(), deadline)) {}
    RecoveringLockGuard(RecoveringLockGuard&& other) noexcept
        : lock_(other.lock_), parking_(other.parking_), mine_(std::exchange(other.mine_, false)) {}
    RecoveringLockGuard& operator=(RecoveringLockGuard&& other) noexcept {
        std::swap(lock_, other.lock_);
        std::swap(parking_, other.parking_);
        std::swap(mine_, other.mine_);
        return *this;
    }
    ~RecoveringLockGuard() { end(); }
    /// There is something to do, and the deadline was perhaps 0: whoever is at it only copies a record, which is there.
    bool try_longer() {
        mine_ = lock_->acquire(*parking_, this_thread(), Deadline::after(slice));
        return mine_;
    }
    void end() {
        if (std::exchange(mine_, false)) lock_->release(*parking_);
    }
    bool is_mine() const noexcept { return mine_; }

private:
    RecoveringLock* lock_ = nullptr;
    const platform::Parking* parking_ = nullptr;
    bool mine_ = false;
};

} // namespace multiprocessing::inline v1::detail
