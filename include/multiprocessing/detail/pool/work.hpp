#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work.hpp  A task or a map in its parent: what can be asked of either, and done to it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A task, or item, whose worker ended, for the error that it gets.
struct TaskEnd {
    EndReason reason = EndReason::lost;
    std::optional<std::uint64_t> item = {}; ///< None: a single task.
    std::uint64_t count = 1;                ///< It is one of so many, from `item` on.
    std::uint32_t failures = 0;             ///< Attempts that went before.
    TaskPolicy policy = {};
    std::uint64_t memory = 0; ///< Bytes that its worker used, if that was the reason.
};

/// What a worker is at that somebody watches: the same once more only if it is at the same item
/// still, or the same attempt at a task.
struct WorkPoint {
    std::uint32_t slot = 0;
    std::uint16_t generation = 0;
    TaskWord word = {};         ///< Of the task, or of the chunk.
    std::uint64_t chunk = 0;    ///< Plus 1; 0: a single task.
    std::uint64_t progress = 0; ///< Of the chunk; see ItemizedChunk.
    TaskPolicy policy = {};

    bool is_same(const WorkPoint& other) const noexcept {
        return slot == other.slot && word == other.word && chunk == other.chunk && progress == other.progress;
    }
};

/// What a worker is killed for, known to its parent alone.
struct Verdict {
    WorkPoint point = {};
    EndReason reason = EndReason::lost;
    std::uint64_t memory = 0;
};

/// What a dead worker was about, read from its line when it was gone.
struct WorkerDeath {
    Incarnation dead;
    std::uint64_t claiming;
    std::uint64_t left[priority_levels];
    std::uint64_t helping[priority_levels];
    std::uint64_t chunk;
    std::uint64_t item;  ///< The first that died with it.
    std::uint64_t items; ///< How many those may be: quick ones are noted by blocks.
    std::uint64_t task;
    Verdict verdict; ///< Without one the reason is `lost`.
    /// The exception for the task that died with it; of a map, for these items.
    std::function<std::exception_ptr(const TaskEnd& end)> error;
};

/// What is to be announced again after a death, or when its time has come.
struct Announcements {
    std::vector<TaskTicket> tickets;
    std::optional<std::chrono::steady_clock::time_point> due = {}; ///< When something else is to be.
};

/// A cell says lost, and nothing says why. A result is never made of that.
MULTIPROCESSING_INLINE std::exception_ptr unknown_loss();

/// A task or a map. The table of its pool keeps it while it occupies a slot; results keep it until
/// they have been read.
///
/// It has no mutex. The table's is held where it changes, and why something was lost is written
/// before a cell says that it was; one that has ended does not change any more, and whoever waits
/// for it reads nothing else before.
class Work {
public:
    Work() = default;
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    virtual ~Work() = default;

    /// Whether all that can come of it has come. Cheap: waiting calls it again and again.
    virtual bool ended() const = 0;
    /// Whether a worker has begun with it, and it has not ended.
    virtual bool running() const = 0;

    // Called while the table's mutex is held.

    /// A worker has died. Adds what is to be announced again.
    virtual void on_death(const WorkerDeath& death, Announcements& again) = 0;
    /// Something is to be announced by now, perhaps.
    virtual void on_time(Announcements& again) = 0;
    /// Worker `line` is being replaced by a fresh one.
    virtual void on_replacement(std::uint32_t line, Incarnation dead) = 0;
    /// Nothing more is to come of it: whatever has not ended is lost with `error`.
    virtual void give_up(const std::exception_ptr& error) noexcept = 0;
    /// Takes it back if nothing of it has begun; else changes nothing.
    virtual bool cancel() noexcept = 0;
    /// Takes back what has not begun, and dooms what runs: the workers in `owners`, which has room
    /// for all, are to be killed for that. False if it has ended.
    virtual bool kill(std::vector<Incarnation>& owners) noexcept = 0;

    /// What that worker is at of it, if it is: chunk and item by its line.
    virtual std::optional<WorkPoint> point_of(const WorkerLine& line, Incarnation worker) const = 0;
    /// Its worker is to be killed for what it is at. False if it has gone on meanwhile: then it
    /// must not be.
    virtual bool doom(const WorkPoint& point, EndReason reason, std::uint64_t memory) noexcept = 0;
    /// Ends it if it has failed, and is to end with the first failure. True if it did.
    virtual bool end_if_failed(std::vector<Incarnation>&) noexcept { return false; }

    /// Whether an outcome lies in that block.
    virtual bool refers_to(Position block) const = 0;
    /// Frees outcomes, if they were not read. An error among them is logged, unless it is
    /// `expected`: that of a pool that was terminated. No mutex is held.
    virtual void discard(const std::exception_ptr& expected) noexcept = 0;
    /// Whether a late helper may be looking at its memory when it is over.
    virtual bool has_helpers() const noexcept = 0;
    /// Whether on_replacement() is to be called.
    virtual bool leases_to_workers() const noexcept = 0;
    /// Where a reader sleeps that wants parts of it before its end; null if there can be none.
    virtual ItemizedAttention* attention() const noexcept { return nullptr; }

    /// Its outcome has been read, or given up: that is done once.
    bool is_read() const noexcept { return read_; }

    std::uint32_t slot = 0;
    std::uint16_t generation = 0;
    TaskPolicy policy = {};

    // Of the table, guarded by its mutex.
    bool dropped = false;                  ///< Nobody will read it.
    bool leaving = false;                  ///< Somebody is about to free its slot.
    bool has_later = false;                ///< It is among those of which something is announced later.
    std::uint32_t place = 0;               ///< Among the works that lease to workers, if it does.
    Work* next_dropped = nullptr;          ///< In a list of those to be discarded.
    std::shared_ptr<Work> next_to_end{};   ///< In a list of those that end with the list.
    std::shared_ptr<ResultBase> watcher{}; ///< Its hooks are to be called when it has ended.

protected:
    bool read_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::exception_ptr unknown_loss() {
    return std::make_exception_ptr(
        ProcessError("multiprocessing: a task of a pool was lost, for a reason that was not recorded"));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
