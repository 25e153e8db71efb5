#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file held_lock.hpp  What Lock and RLock share: whose it is, how often, and what misuse is told.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/recovering_lock.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is a free one that may be taken again by its holder.
struct HeldLock {
    RecoveringLock lock;
    std::uint32_t plain = 0; ///< Not to be taken again by its holder. Written when it is made.

    bool is_mine() const noexcept { return lock.holder() == this_thread(); }

    bool acquire(const platform::Parking& parking, const Deadline& deadline) {
        const platform::ThreadName self = this_thread();
        if (lock.holder() == self) return acquire_again(deadline);
        if (!lock.acquire(parking, self, deadline)) return false;
        lock.depth = 1;
        if (lock.recovered()) {
            get_logger().log(LogLevel::warning,
                             "a lock went on from a thread or process that ended without releasing it: what it "
                             "protects may be half changed (see recovered())");
        }
        return true;
    }

    void release(const platform::Parking& parking) {
        require_mine("release");
        if (--lock.depth == 0) lock.release(parking);
    }

    /// Gives it up however often it was taken, and says how often; take_back() takes it as often again.
    std::uint32_t release_all(const platform::Parking& parking) {
        const std::uint32_t depth = lock.depth;
        lock.release(parking);
        return depth;
    }
    void take_back(const platform::Parking& parking, std::uint32_t depth) {
        acquire(parking, Deadline{});
        lock.depth = depth;
    }

    /// For `what`, which only the holder may do.
    void require_mine(const char* what) const {
        if (is_mine()) return;
        if (lock.holder() == 0) {
            throw std::invalid_argument(std::string("multiprocessing: ") + what +
                                        " of a lock that nobody holds: acquire it first");
        }
        throw std::logic_error(
            std::string("multiprocessing: ") + what +
            " of a lock that another thread holds; a Semaphore{1} may be released by anybody");
    }

private:
    bool acquire_again(const Deadline& deadline) {
        if (!plain) {
            ++lock.depth;
            return true;
        }
        if (deadline.never()) {
            throw std::logic_error(
                "multiprocessing: this thread holds this Lock and would wait for itself for ever; "
                "an RLock may be acquired again");
        }
        while (!deadline.passed()) std::this_thread::sleep_for(deadline.left(slice));
        return false;
    }
};

} // namespace multiprocessing::inline v1::detail
