#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_demand.hpp  Which workers of a pool are idle, and how many there should be.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Wakes workers, and counts those that are wanted: all of them from the beginning, or, on demand,
/// one more whenever there is work and nobody idle. Any thread may call it.
class WorkerDemand {
public:
    /// `bell` is the supervisor's, which starts workers.
    WorkerDemand(const PoolView& view, platform::Doorbell& bell, std::uint32_t workers)
        : view_(view), bell_(bell), wanted_(workers) {}

    /// From now on, on demand.
    void start_with_none() noexcept { wanted_.store(0, std::memory_order_relaxed); }
    std::uint32_t wanted() const noexcept { return wanted_.load(std::memory_order_seq_cst); }

    /// A worker has left, as there was nothing to do.
    void want_one_less() noexcept;
    void want_more(std::uint32_t more) noexcept;

    /// Wakes up to `count` workers that sleep or are about to; wants as many more as it has not
    /// found.
    void call(std::uint32_t count) noexcept;

    /// Whether a worker sleeps, or is about to.
    bool has_idle() const noexcept;

private:
    /// One of the idle workers `bits` from `first` on: one that is still awake, if there is one
    /// among those that are looked at.
    std::uint64_t pick(std::uint64_t bits, std::uint32_t first) const noexcept;

    const PoolView& view_;
    platform::Doorbell& bell_;
    std::atomic<std::uint32_t> wanted_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <bit>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void WorkerDemand::want_one_less() noexcept {
    std::uint32_t wanted = wanted_.load(std::memory_order_relaxed);
    while (wanted > 0 && !wanted_.compare_exchange_weak(wanted, wanted - 1, std::memory_order_seq_cst)) {}
}

MULTIPROCESSING_INLINE void WorkerDemand::want_more(std::uint32_t more) noexcept {
    const std::uint32_t most = view_.shared().workers;
    std::uint32_t wanted = wanted_.load(std::memory_order_seq_cst);
    do {
        if (wanted == most) return;
    } while (
        !wanted_.compare_exchange_weak(wanted, (std::min)(most, wanted + more), std::memory_order_seq_cst));
    bell_.ring();
}

MULTIPROCESSING_INLINE std::uint64_t WorkerDemand::pick(std::uint64_t bits,
                                                        std::uint32_t first) const noexcept {
    // To wake a sleeping worker costs a system call, and often the processor.
    int looks = 4;
    for (std::uint64_t left = bits; left != 0 && looks-- > 0; left &= left - 1) {
        const auto worker = first + static_cast<std::uint32_t>(std::countr_zero(left));
        if (view_.line(worker).park.sleepers.load(std::memory_order_relaxed) == 0) return left & -left;
    }
    return bits & -bits;
}

MULTIPROCESSING_INLINE void WorkerDemand::call(std::uint32_t count) noexcept {
    for (std::uint32_t first = 0; first < view_.shared().line_count && count > 0; first += 64) {
        std::atomic<std::uint64_t>& idle = view_.idle_bits(first);
        for (std::uint64_t bits; count > 0 && (bits = idle.load(std::memory_order_seq_cst)) != 0;) {
            const std::uint64_t bit = pick(bits, first);
            if (!(idle.fetch_and(~bit, std::memory_order_seq_cst) & bit)) continue; // another was quicker
            post(view_.space().parking(),
                 view_.line(first + static_cast<std::uint32_t>(std::countr_zero(bit))).park);
            --count;
        }
    }
    if (count != 0) want_more(count);
}

MULTIPROCESSING_INLINE bool WorkerDemand::has_idle() const noexcept {
    for (std::uint32_t first = 0; first < view_.shared().line_count; first += 64) {
        if (view_.idle_bits(first).load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
