#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file limit_watch.hpp  Which worker has been at what for how long, and with how much memory: who
/// is to be ended for that.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Looks at the workers of a pool from outside, every few milliseconds while something has a
/// limit: a task costs nothing more for that, and no clock is read for an item of a map.
///
/// What is seen at the same item twice has been at it in between, so nobody is ended early; and
/// late by one look at most.
class LimitWatch {
public:
    /// `memory_limit`: of workers that are at nothing; `recycle_memory`: beyond that they are
    /// replaced between two tasks. Bytes; 0: none.
    LimitWatch(PoolTable& table, std::uint64_t memory_limit, std::uint64_t recycle_memory);

    /// A worker that lives.
    struct Subject {
        std::uint32_t index;
        Incarnation name;
        int pid;
    };
    /// What is to be done about a worker, by its line.
    struct Actions {
        std::function<void(std::uint32_t)> kill;
        /// It has grown beyond `recycle_memory`. Called at each look until it has gone.
        std::function<void(std::uint32_t, const std::optional<WorkPoint>&)> replace;
    };
    /// Looks at them all. Returns when it wants to look again.
    Deadline look(const std::vector<Subject>& workers, const Actions& actions);
    /// The worker with this number is another from now on.
    void forget(std::uint32_t index) noexcept { seen_[index] = {}; }

private:
    using Clock = std::chrono::steady_clock;

    /// What was seen of a worker last.
    struct Seen {
        std::optional<WorkPoint> point = {};
        Clock::time_point since = {};
        bool was_beyond = false; ///< Its memory limit, at its last look, at `beyond_at`.
        std::optional<WorkPoint> beyond_at = {};
        std::uint64_t shared = 0;                ///< What an estimate of its memory counts too much,
        unsigned looks = 0;                      ///< as of so many looks ago.
        std::uint64_t memory = 0;                ///< At the last look,
        std::optional<WorkPoint> memory_at = {}; ///< where it was then,
        std::uint64_t memory_before = 0;         ///< and when it was seen before it came there.
    };

    /// Whether its time is over.
    bool is_late(Seen& seen, const std::optional<WorkPoint>& point, Clock::time_point now);
    void look_at_memory(const Subject& worker, const std::optional<WorkPoint>& point, const Actions& actions);
    /// Of the worker and its descendants. Nothing if that is no more than `limit`.
    std::optional<std::uint64_t> memory_beyond(Seen& seen, int pid, std::uint64_t limit);

    // A limit of a second or of an hour may be late by as much as one of 16 ms.
    static constexpr std::chrono::nanoseconds shortest_round = std::chrono::microseconds{500};
    static constexpr std::chrono::nanoseconds longest_round = std::chrono::milliseconds{4};
    static constexpr std::chrono::milliseconds memory_round{20};
    static constexpr std::chrono::milliseconds longest_gap{500}; // between two looks
    static constexpr unsigned looks_until_measured = 50;         // a second

    PoolTable& table_;
    const std::uint64_t memory_limit_;
    const std::uint64_t recycle_memory_;
    std::vector<Seen> seen_; // by worker
    Clock::time_point next_memory_look_{};
    Clock::time_point last_look_{};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/process_family.hpp>
#include <multiprocessing/detail/platform/process_memory.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE LimitWatch::LimitWatch(PoolTable& table, std::uint64_t memory_limit,
                                              std::uint64_t recycle_memory)
    : table_(table), memory_limit_(memory_limit), recycle_memory_(recycle_memory), seen_(table.lines()) {
    if (recycle_memory != 0) table.police_all();
}

MULTIPROCESSING_INLINE Deadline LimitWatch::look(const std::vector<Subject>& workers, const Actions& actions) {
    const Looks needed = table_.looks_needed();
    if (needed == Looks::none) {
        // What comes later is something else, though it may look the same: words come round.
        for (Seen& seen : seen_) seen = {};
        return {};
    }
    table_.end_failed();
    const Clock::time_point now = Clock::now();
    // This process was stopped, or nothing ran: its workers may have been, too.
    const auto missed = now - std::exchange(last_look_, now);
    if (missed > longest_gap) {
        for (Seen& seen : seen_) seen.since += missed;
    }
    const bool memory_too = now >= next_memory_look_;
    // For memory alone a fifth as often: each look takes a processor from the workers for a moment.
    std::chrono::nanoseconds round = needed == Looks::quick ? longest_round : memory_round;
    for (const Subject& worker : workers) {
        Seen& seen = seen_[worker.index];
        const std::optional<WorkPoint> point = table_.point_of(worker.index, worker.name);
        if (is_late(seen, point, now) && table_.doom(worker.index, *point, EndReason::time_limit, 0)) {
            actions.kill(worker.index);
            continue;
        }
        if (point && point->policy.time_limit.count() != 0)
            round = (std::min)(round, (std::max)(shortest_round, point->policy.time_limit / 4));
        if (memory_too) look_at_memory(worker, point, actions);
    }
    if (memory_too) next_memory_look_ = now + memory_round;
    return Deadline::after(round);
}

MULTIPROCESSING_INLINE bool LimitWatch::is_late(Seen& seen, const std::optional<WorkPoint>& point,
                                                Clock::time_point now) {
    if (!point || point->policy.time_limit.count() == 0) {
        seen.point.reset();
        return false;
    }
    if (!seen.point || !seen.point->is_same(*point)) {
        seen.point = point;
        seen.since = now;
    }
    return now - seen.since >= point->policy.time_limit;
}

MULTIPROCESSING_INLINE void LimitWatch::look_at_memory(const Subject& worker,
                                                       const std::optional<WorkPoint>& point,
                                                       const Actions& actions) {
    // One that has done nothing yet may be in its initializer, and what follows it would be no
    // better.
    if (table_.view().line(worker.index).claiming.load(std::memory_order_relaxed) == 0) return;
    Seen& seen = seen_[worker.index];
    if (point && !(seen.memory_at && seen.memory_at->is_same(*point))) seen.memory_before = seen.memory;
    seen.memory_at = point;
    const std::uint64_t limit = point ? point->policy.memory_limit : memory_limit_;
    const auto beyond = limit ? memory_beyond(seen, worker.pid, limit) : std::nullopt;
    if (!beyond) {
        seen.was_beyond = false;
        if (recycle_memory_ != 0 && memory_beyond(seen, worker.pid, recycle_memory_))
            actions.replace(worker.index, point);
        return;
    }
    // A second look: the first may have met an item that had only just begun, and what it found is
    // another's.
    const bool is_same_point = point && seen.beyond_at && point->is_same(*seen.beyond_at);
    // It had as much before it came there: then it is not this task that has taken it.
    const bool had_it_before = seen.memory_before > limit && *beyond < seen.memory_before + limit / 8;
    if (!std::exchange(seen.was_beyond, true)) {
        seen.beyond_at = point;
    } else if (is_same_point && !had_it_before) {
        if (table_.doom(worker.index, *point, EndReason::memory_limit, *beyond)) actions.kill(worker.index);
    } else { // it goes on quicker than anybody can look: nobody's fault, but it has to go
        seen.beyond_at = point;
        table_.ask_to_leave(worker.index, point);
    }
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> LimitWatch::memory_beyond(Seen& seen, int pid,
                                                                              std::uint64_t limit) {
    constexpr std::size_t most_processes = 256;
    std::vector<int> family{pid};
    std::uint64_t estimate = 0;
    for (std::size_t i = 0; i < family.size(); ++i) {
        estimate += platform::estimate_memory(family[i]).value_or(0);
        if (family.size() > most_processes) continue;
        const std::vector<int> children = platform::children_of(family[i]);
        family.insert(family.end(), children.begin(), children.end());
    }
    if (++seen.looks >= looks_until_measured) { // what was shared may have become its own
        seen.looks = 0;
        seen.shared = 0;
    }
    seen.memory = estimate > seen.shared ? estimate - seen.shared : 0;
    if (estimate <= limit + seen.shared) return std::nullopt;
    std::uint64_t measure = 0;
    for (const int process : family) measure += platform::measure_memory(process).value_or(0);
    seen.shared = estimate > measure ? estimate - measure : 0;
    seen.memory = measure;
    return measure > limit ? std::optional(measure) : std::nullopt;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
