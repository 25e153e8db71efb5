#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file map_work.hpp  A map in its parent: which of its chunks are over, and what a death does to
/// one.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/lease_array.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/reduction.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A map, of whichever kind.
class MapWork : public Work {
public:
    std::uint64_t items() const noexcept { return items_; }
    MapJob& job() const noexcept { return *job_; }
    virtual void set_job(MapJob& job) noexcept { job_ = &job; }
    ChunkHead& head(std::uint64_t index) const noexcept { return view_.chunk(*job_, index); }

    /// How many items are done, as far as can be seen from here.
    virtual std::uint64_t items_done() const = 0;
    /// How many of them threw, or were lost with their workers.
    std::uint64_t items_failed() const noexcept {
        return job_->thrown.load(std::memory_order_relaxed) + items_lost_.load(std::memory_order_relaxed);
    }
    /// What the items that run have done by now, as they say themselves.
    MULTIPROCESSING_INLINE double under_way() const;

    MULTIPROCESSING_INLINE bool ended() const override;

    MULTIPROCESSING_INLINE bool running() const override;

    MULTIPROCESSING_INLINE void on_death(const WorkerDeath& death, Announcements& again) override;

    void on_time(Announcements&) override {}

    std::optional<WorkPoint> point_of(const WorkerLine&, Incarnation) const override { return std::nullopt; }

    bool doom(const WorkPoint&, EndReason, std::uint64_t) noexcept override { return false; }

    void on_replacement(std::uint32_t line, Incarnation dead) override { callable_given.renew(line, dead); }

    MULTIPROCESSING_INLINE void give_up(const std::exception_ptr& error) noexcept override;

    MULTIPROCESSING_INLINE bool cancel() noexcept override;

    MULTIPROCESSING_INLINE bool kill(std::vector<Incarnation>& owners) noexcept override;

    bool has_helpers() const noexcept override { return true; }
    bool leases_to_workers() const noexcept override { return callable_given.bytes_each() != 0; }

    std::vector<Block> blocks;                          // job, input, items, output, chunks
    std::vector<std::shared_ptr<SharedObject>> objects; // that input or output lie in, if not in blocks
    LeaseArray callable_given;                          // a copy for each worker
    LeaseArray input_given;

protected:
    MapWork(PoolView view, std::uint64_t items) : items_(items), view_(view) {}

    /// A worker died with this chunk: what is left of it is ready again, or it is lost.
    virtual void take_back(std::uint64_t index, const WorkerDeath& death, Announcements& again) = 0;
    /// The item that the worker is at, which has that chunk.
    virtual std::uint64_t item_at(const WorkerLine& line, std::uint64_t index) const = 0;
    /// Further attempts that wait are not made: nothing more is to come of it.
    virtual void drop_waiting() noexcept {}

    static std::uint64_t begin_of(const ChunkHead& chunk) noexcept {
        return chunk.begin.load(std::memory_order_relaxed);
    }
    static bool is_over(TaskWord word) noexcept {
        return word.state == TaskState::done || word.state == TaskState::lost;
    }

    /// What is left of a chunk whose owner died is from `rest` on.
    void publish_rest(std::uint64_t index, std::uint64_t rest);

    const std::uint64_t items_;
    PoolView view_;
    MapJob* job_ = nullptr;
    // Why, written before a cell says lost, and while one says that it is not over.
    std::map<std::uint64_t, std::exception_ptr> losses_; // by item
    std::exception_ptr given_up_;                        // what had not ended then
    std::atomic<std::uint64_t> items_lost_{0};
    const ForkOrigin origin_;

private:
    /// Whether a chunk waits to be claimed.
    bool has_ready() const;
    /// The chunk that the dead worker had.
    std::optional<std::uint64_t> chunk_of(const WorkerDeath& death) const;

    mutable std::atomic<std::uint64_t> ended_before_{0};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <iterator>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool MapWork::ended() const {
    // Chunks end about in order, so each is looked at about once. Release and acquire: what
    // another thread has seen of a chunk is seen here.
    std::uint64_t at = ended_before_.load(std::memory_order_acquire);
    while (at < job_->chunk_count && is_over(head(at).cell.load())) ++at;
    ended_before_.store(at, std::memory_order_release);
    return at == job_->chunk_count;
}

MULTIPROCESSING_INLINE bool MapWork::running() const {
    return job_->taken_up.load(std::memory_order_acquire) == map_is_begun && !ended();
}

MULTIPROCESSING_INLINE double MapWork::under_way() const {
    double all = 0;
    for (std::uint32_t worker = 0; worker < view_.shared().line_count; ++worker) {
        const WorkerLine& line = view_.line(worker);
        const std::uint64_t part = line.part.load(std::memory_order_relaxed);
        const std::uint64_t index = line.chunk.load(std::memory_order_relaxed);
        if (part == 0 || !line.is_helping(map_name(slot, generation)) || index == 0 ||
            index > job_->all_chunks() || is_over(head(index - 1).cell.load()))
            continue;
        all += PartDone::of(part, item_at(line, index - 1));
    }
    return all;
}

MULTIPROCESSING_INLINE void MapWork::on_death(const WorkerDeath& death, Announcements& again) {
    job_->wake_always.store(1, std::memory_order_seq_cst); // it may have died before it could count
    if (std::ranges::find(death.helping, map_name(slot, generation)) != std::end(death.helping)) {
        if (const std::optional<std::uint64_t> held = chunk_of(death)) take_back(*held, death, again);
    }
    // Its replacement, and idle workers, shall help where there is something to be taken; too many
    // helpers do no harm.
    if (has_ready()) again.tickets.push_back({slot, generation, 0, true});
}

MULTIPROCESSING_INLINE bool MapWork::has_ready() const {
    for (std::uint64_t i = ended_before_.load(std::memory_order_acquire); i < job_->all_chunks(); ++i) {
        if (head(i).cell.load().state == TaskState::ready) return true;
    }
    return false;
}

MULTIPROCESSING_INLINE void MapWork::give_up(const std::exception_ptr& error) noexcept {
    if (ended()) return; // a waiter may be reading
    given_up_ = error;
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) {
        ChunkHead& at = head(i);
        for (TaskWord word = at.cell.load(); word.state != TaskState::free && !is_over(word);
             word = at.cell.load())
            at.cell.lose(word);
    }
    drop_waiting();
}

MULTIPROCESSING_INLINE bool MapWork::cancel() noexcept {
    std::uint32_t fresh = map_is_fresh;
    if (!job_->taken_up.compare_exchange_strong(fresh, map_is_cancelled, std::memory_order_acq_rel))
        return false;
    give_up(cancellation()); // no worker looks at its chunks any more
    return true;
}

MULTIPROCESSING_INLINE bool MapWork::kill(std::vector<Incarnation>& owners) noexcept {
    if (ended()) return false;
    if (!given_up_) given_up_ = cancellation();
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) {
        ChunkHead& at = head(i);
        for (TaskWord word = at.cell.load(); word.state == TaskState::ready || word.state == TaskState::run;
             word = at.cell.load()) {
            if (word.state == TaskState::ready) {
                at.cell.lose(word);
            } else if (at.cell.doom(word)) {
                owners.push_back(word.owner); // a worker has one chunk at a time
            }
        }
    }
    drop_waiting();
    return true;
}

MULTIPROCESSING_INLINE void MapWork::publish_rest(std::uint64_t index, std::uint64_t rest) {
    ChunkHead& at = head(index);
    const TaskWord word = at.cell.load();
    at.begin.store(rest, std::memory_order_relaxed);
    if (rest == at.end || word.state == TaskState::doom) {
        at.cell.lose(word);
        job_->unfinished.fetch_sub(1, std::memory_order_acq_rel);
    } else if (at.cell.publish_again(word)) {
        // A hint, which goes ahead again with the next claim.
        if (job_->cursor.load(std::memory_order_relaxed) > index)
            job_->cursor.store(index, std::memory_order_relaxed);
    }
}

MULTIPROCESSING_INLINE std::optional<std::uint64_t> MapWork::chunk_of(const WorkerDeath& death) const {
    const auto had = [&](std::uint64_t index) {
        const TaskWord word = head(index).cell.load();
        return word.owner == death.dead && (word.state == TaskState::run || word.state == TaskState::doom);
    };
    if (death.chunk != 0 && death.chunk <= job_->all_chunks() && had(death.chunk - 1)) return death.chunk - 1;
    // Killed between the claim and its note, or without one.
    for (std::uint64_t i = 0; i < job_->all_chunks(); ++i) {
        if (had(i)) return i;
    }
    return std::nullopt;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
