#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_line.hpp  What a worker and its parent tell each other about the worker itself:
/// what it is to be, what it is at, and where it crashed.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/affinity.hpp>
#include <multiprocessing/detail/pool/parcel.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// What a worker is doing, for its parent to read after its death. Written by the worker alone,
/// plain stores, one processor cache line: the parent reads it when the process is gone, or for
/// progress, when any mixture will do.
struct alignas(64) WorkerLine {
    enum State : std::uint32_t { starting, serving, retired, broken, idle };
    /// Set in `item` if it stands for the first of 64: items so quick that a note for each would
    /// cost more than they do.
    static constexpr std::uint64_t block_of_items = std::uint64_t{1} << 63;
    static constexpr std::uint64_t block_size = 64;

    ParkingPlace park; ///< Where the worker sleeps.
    std::atomic<std::uint32_t> state;
    /// The slot, plus 1, of the announcement that it is about to see to, or did last. Written
    /// before it takes the task or moves the announcement out of the way: killed at any instant,
    /// the parent knows which one to look at.
    std::atomic<std::uint64_t> claiming;
    /// Promises not to let go: while a map's slot and generation stand here, its memory is not
    /// freed. One for each level of priority: a worker helps with higher maps between two chunks of
    /// a lower one.
    std::atomic<std::uint64_t> helping[priority_levels];
    std::atomic<std::uint64_t> chunk; ///< Of the highest of these maps, plus 1. Or 0.
    std::atomic<std::uint64_t> item;  ///< The item it is at.
    std::atomic<std::uint64_t> task;  ///< The slot of the task it runs, plus 1. Or 0.
    /// How much of its item is done, as that says itself; see PartDone. Or 0.
    std::atomic<std::uint64_t> part;
    std::atomic<std::uint64_t> left[priority_levels]; ///< Maps that it has left as it retires, as in `helping`.
    std::atomic<Position> handing_over; ///< A block that is about to be told of in a task or chunk. Or 0.
    Parcel failure;                     ///< Of its initializer, when broken.
    /// By the parent: it is to leave when it is at no task or item.
    std::atomic<std::uint32_t> is_to_leave;
    /// By the parent: the line, plus 1, of the worker that waits for this one's place. Or 0.
    std::atomic<std::uint32_t> successor;
    /// It takes nothing before another one has left. Cleared by that one, or by the parent if that
    /// was killed.
    std::atomic<std::uint32_t> is_held;

    bool is_helping(std::uint64_t map) const noexcept {
        for (const auto& promise : helping) {
            if (promise.load(std::memory_order_seq_cst) == map) return true;
        }
        return false;
    }
};

/// A part of an item, for WorkerLine::part: in the high half the last bits of which item it is of,
/// so that nothing need be done when the next one begins.
struct PartDone {
    static std::uint64_t packed(std::uint64_t item, double part) noexcept {
        const double within = part > 0 ? (part < 1 ? part : 1) : 0; // 0 if it is no number
        return item << 32 | static_cast<std::uint64_t>(within * 0xFFFF'FFFF);
    }
    static double of(std::uint64_t word, std::uint64_t item) noexcept {
        if (word >> 32 != (item & 0xFFFF'FFFF)) return 0;
        return static_cast<double>(word & 0xFFFF'FFFF) / 0xFFFF'FFFF;
    }
};

/// What a worker is told beside its initializer; the first bytes of its payload.
struct WorkerSetup {
    Position pool = 0;
    std::uint64_t most_tasks = 0;         ///< Their number until it is replaced; 0: no limit.
    std::uint64_t most_idle = 0;          ///< Nanoseconds without work after which it leaves; 0: no limit.
    std::uint32_t worker = 0;             ///< Its line.
    std::uint32_t number = 0;             ///< As the program knows it.
    std::uint32_t is_here = 0;            ///< It is no process of its own, but the caller.
    std::uint32_t limits_threads = 0;     ///< It has libraries told of it; see tell_loaded_libraries().
    std::uint32_t has_affinity = 0;       ///< Whether the next counts.
    platform::ProcessorSet affinity = {}; ///< Where it may run.
};

/// Where a worker was when it crashed, as text; see platform/crash.hpp. Empty unless it did.
struct CrashRecord {
    char text[4096];
};

} // namespace multiprocessing::inline v1::detail
