#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file condition_body.hpp  The waiters of a Condition, and how many may go on.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space. No list of sleepers, in which the dead would have to be found: a waiter draws
/// a number, and a notify grants passes to all numbers drawn so far. A pass is taken by whichever
/// of these waiters looks first: so a waiter that was killed takes none with it, and a notify waits
/// for no process.
///
/// The price: a waiter that was killed counts as waiting forever. So each notify may leave a pass
/// for it, which a later notify renews, and which lets another waiter go on without need. A waiter
/// checks what it waits for (`wait_for`).
class ConditionBody {
public:
    using Number = std::uint32_t;

    // ---- Holding the condition's lock ----

    Number begin_wait() noexcept { return drawn_.fetch_add(1, std::memory_order_relaxed); }
    /// Ends a wait, notified or not: each waiter **must** call it.
    void end_wait() noexcept { ended_.fetch_add(1, std::memory_order_relaxed); }

    /// Lets up to `count` waiters go on. Returns the word on which they are to be woken; null if
    /// there are none.
    platform::Word* notify(std::uint32_t count) noexcept {
        const Number drawn = drawn_.load(std::memory_order_relaxed);
        // The killed are among them.
        const std::uint32_t waiting = drawn - ended_.load(std::memory_order_relaxed);
        if (waiting == 0) return nullptr;
        std::uint64_t grant = grant_.load(std::memory_order_relaxed);
        std::uint32_t passes;
        do {
            passes = static_cast<std::uint32_t>(
                std::min<std::uint64_t>(std::uint64_t{passes_of(grant)} + count, waiting));
        } while (!grant_.compare_exchange_weak(grant, packed(drawn, passes), std::memory_order_seq_cst));
        // Killed here: the waiters look again by themselves.
        changes_.fetch_add(1, std::memory_order_seq_cst);
        return &changes_;
    }

    // ---- Not holding it ----

    /// Returns how many wait, or were killed waiting.
    std::uint32_t waiting() const noexcept {
        return drawn_.load(std::memory_order_relaxed) - ended_.load(std::memory_order_relaxed);
    }

    /// Waits for a pass; false when the deadline passed.
    bool wait(const platform::Parking& parking, Number number, const Deadline& deadline) {
        for (;;) {
            const std::uint32_t seen = changes_.load(std::memory_order_seq_cst);
            if (take_pass(number)) return true;
            if (deadline.passed()) return false;
            parking.sleep(changes_, seen, deadline.left(slice));
        }
    }

    /// Takes a pass if there is one for this number.
    bool take_pass(Number number) noexcept {
        std::uint64_t grant = grant_.load(std::memory_order_seq_cst);
        while (passes_of(grant) != 0 && static_cast<std::int32_t>(number - drawn_of(grant)) < 0) {
            if (grant_.compare_exchange_weak(grant, packed(drawn_of(grant), passes_of(grant) - 1),
                                             std::memory_order_seq_cst))
                return true;
        }
        return false;
    }

private:
    static constexpr std::uint64_t packed(Number drawn, std::uint32_t passes) noexcept {
        return std::uint64_t{drawn} << 32 | passes;
    }
    static constexpr Number drawn_of(std::uint64_t grant) noexcept { return static_cast<Number>(grant >> 32); }
    static constexpr std::uint32_t passes_of(std::uint64_t grant) noexcept {
        return static_cast<std::uint32_t>(grant);
    }

    std::atomic<Number> drawn_{0};        // numbers drawn: the next one
    std::atomic<std::uint32_t> ended_{0}; // waits that ended, in any way but by death
    std::atomic<std::uint64_t> grant_{0}; // numbers below this | passes for them
    platform::Word changes_{0};
};

} // namespace multiprocessing::inline v1::detail
