#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lock_body.hpp  What Lock and RLock share: whose it is, how often, and what misuse is told.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space; all zero is a free one that may be taken again by its holder.
struct LockBody {
    RecoveringLock lock;
    std::uint32_t plain = 0; ///< Not to be taken again by its holder. Written when it is made.

    bool is_mine() const { return is_held_by(this_thread()); }

    /// Returns the holder, and how often it holds the lock if that is this thread, for people.
    struct Holder {
        std::string name;
        std::string count;
    };
    Holder shown_holder() const {
        const platform::ThreadName holder = lock.holder();
        if (holder == this_thread()) {
            std::string name = [] {
                ThisProcess& me = this_process();
                std::lock_guard guard{me.mutex};
                return me.identity.name;
            }();
            if (!platform::is_main_thread())
                name += "|Thread-" + std::to_string(static_cast<std::uint32_t>(holder));
            return {std::move(name), std::to_string(lock.depth)};
        }
        if (holder == 0) return {"None", "0"};
        return {platform::is_of_this_process(holder) ? "SomeOtherThread" : "SomeOtherProcess", "nonzero"};
    }

    bool acquire(const platform::Parking& parking, const Deadline& deadline) {
        const platform::ThreadName self = this_thread();
        if (is_held_by(self)) return acquire_again(deadline);
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
        if (--lock.depth == 0) let_go(parking);
    }

    /// Releases it however often it is held, and returns how often; take_back() acquires it as
    /// often again.
    std::uint32_t release_all(const platform::Parking& parking) {
        const std::uint32_t depth = lock.depth;
        let_go(parking);
        return depth;
    }

    /// Called by the holder: the sleepers on `word`, which lies in the same memory, are woken when
    /// the lock has been released. Woken now, a waiter would want the lock at once, and go to sleep
    /// again for it: on one processor that takes 5 times as long. Killed before the release: it
    /// looks again by itself, or is woken by the next holder.
    void wake_on_release(const platform::Parking& parking, platform::Word& word, bool all) noexcept {
        const auto distance = reinterpret_cast<std::intptr_t>(&word) - reinterpret_cast<std::intptr_t>(this);
        if (sleepers_ != 0 && sleepers_ != distance) wake_sleepers(parking, sleepers_, all_);
        all_ = all || sleepers_ == distance; // a second one is not to be forgotten
        sleepers_ = distance;
    }
    void take_back(const platform::Parking& parking, std::uint32_t depth) {
        acquire(parking, Deadline{});
        lock.depth = depth;
    }

    /// Throws unless this thread holds it, as only the holder may do `what`.
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
    /// Returns whether this thread, `self`, holds it. Another thread that had the same id may have
    /// held it by the same name, if that is not complete.
    bool is_held_by(platform::ThreadName self) const noexcept {
        return lock.holder() == self && (platform::is_complete(self) || ThisThread::get().held != 0);
    }

    void let_go(const platform::Parking& parking) noexcept {
        const std::intptr_t sleepers = sleepers_;
        const bool all = all_;
        sleepers_ = 0;
        lock.release(parking);
        if (sleepers != 0) wake_sleepers(parking, sleepers, all);
    }
    void wake_sleepers(const platform::Parking& parking, std::intptr_t distance, bool all) noexcept {
        auto& word = *reinterpret_cast<platform::Word*>(reinterpret_cast<std::intptr_t>(this) + distance);
        if (all) {
            parking.wake_all(word);
        } else {
            parking.wake_one(word);
        }
    }

    bool acquire_again(const Deadline& deadline) {
        if (!plain) {
            ++lock.depth;
            return true;
        }
        if (deadline.never()) {
            throw std::logic_error(
                "multiprocessing: this thread holds this Lock and would wait for itself forever; "
                "an RLock may be acquired again");
        }
        while (!deadline.passed()) std::this_thread::sleep_for(deadline.left(slice));
        return false;
    }

    // Of the holder: the distance from here to the word whose sleepers it wakes when it releases
    // the lock; 0 if there is none.
    std::intptr_t sleepers_ = 0;
    bool all_ = false;
};

} // namespace multiprocessing::inline v1::detail
