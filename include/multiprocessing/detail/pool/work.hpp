#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file work.hpp  A task or a map in its parent: what it occupies, whether it has ended, what a
/// death did to it.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/lease_array.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/util.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a dead worker was about, read from its line when it was gone.
struct WorkerDeath {
    Incarnation dead;
    std::uint64_t claiming;
    std::uint64_t left;
    std::uint64_t helping;
    std::uint64_t chunk;
    std::uint64_t item;  ///< The first that died with it.
    std::uint64_t items; ///< How many those may be: quick ones are noted by blocks.
    std::uint64_t task;
    /// The exception for the task that died with it; of a map, for these items.
    std::function<std::exception_ptr(std::optional<std::uint64_t> first, std::uint64_t count)> error;
};

/// Logs what `find()` gives, if anything. That makes exceptions of the program's own types, and
/// calls sinks.
template <class Find>
void log_unread_error(Find find) noexcept {
    require_no_mutex();
    try {
        if (const std::exception_ptr error = find()) std::rethrow_exception(error);
    } catch (const CancelledError&) { // not an error of the task's
    } catch (...) {
        try {
            get_logger().log(LogLevel::error,
                             "a task whose result nobody waits for failed:\n" + describe_current_exception());
        } catch (...) { // out of memory: the line is lost
        }
    }
}

/// A cell says lost, and nothing says why. A result is never made of that.
inline std::exception_ptr unknown_loss() {
    return std::make_exception_ptr(
        ProcessError("multiprocessing: a task of a pool was lost, for a reason that was not recorded"));
}

/// A task or a map. The pool's core keeps it while it occupies a slot; results keep it until they
/// have been read.
///
/// It has no mutex. The core's is held where it changes, and why something was lost is written
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
    /// A worker has died. Adds what is to be announced again. The core's mutex is held.
    virtual void on_death(const WorkerDeath& death, std::vector<TaskTicket>& again) = 0;
    /// Worker `line` is being replaced by a fresh one. The core's mutex is held.
    virtual void on_replacement(std::uint32_t line, Incarnation dead) = 0;
    /// Nothing more is to come of it: whatever has not ended is lost with `error`. The core's mutex
    /// is held.
    virtual void give_up(const std::exception_ptr& error) noexcept = 0;
    /// Whether an outcome lies in that block.
    virtual bool refers_to(Position block) const = 0;
    /// Frees outcomes, if they were not read. An error among them is logged. No mutex is held.
    virtual void discard() noexcept = 0;
    /// Whether a late helper may be looking at its memory when it is over.
    virtual bool has_helpers() const noexcept = 0;
    /// Whether on_replacement() is to be called.
    virtual bool leases_to_workers() const noexcept = 0;

    /// Its outcome has been read, or given up: that is done once.
    bool is_read() const noexcept { return read_; }

    std::uint32_t slot = 0;
    std::uint16_t generation = 0;

    // Of the core, guarded by its mutex.
    bool dropped = false;                ///< Nobody will read it.
    bool leaving = false;                ///< Somebody is about to free its slot.
    std::uint32_t place = 0;             ///< Among the works that lease to workers, if it does.
    Work* next_dropped = nullptr;        ///< In a list of those to be discarded.
    std::shared_ptr<Work> next_to_end{}; ///< In a list of those that end with the list.

protected:
    bool read_ = false;
};

/// A single call.
class TaskWork final : public Work {
public:
    explicit TaskWork(TaskSlot& slot_in_space) : slot_(slot_in_space) {}

    bool ended() const override {
        const TaskWord word = slot_.cell.load();
        // Another thread may have read it meanwhile: the slot is free then, or another task's.
        return word.state == TaskState::done || word.state == TaskState::lost || word.generation != generation;
    }

    void on_death(const WorkerDeath& death, std::vector<TaskTicket>& again) override {
        const TaskWord word = slot_.cell.load();
        if (word.owner != death.dead || (word.state != TaskState::run && word.state != TaskState::doom)) return;
        const bool begun = death.task == slot + std::uint64_t{1};
        if (word.state == TaskState::run && !begun && word.attempt < 255) {
            // Taken, and nothing of it done: it is simply ready again.
            given.renew(0, death.dead);
            slot_.leases = given.parcel();
            if (const auto next = slot_.cell.publish_again(word)) {
                again.push_back({slot, next->generation, next->attempt, false});
            }
            return;
        }
        given.pass_on(0, death.dead);
        loss = death.error(std::nullopt, 1);
        slot_.cell.lose(word);
    }

    void on_replacement(std::uint32_t, Incarnation) override {}

    void give_up(const std::exception_ptr& error) noexcept override {
        for (;;) {
            const TaskWord word = slot_.cell.load();
            if (word.state == TaskState::done || word.state == TaskState::lost) return;
            loss = error;
            // A worker may be about to commit: then that counts. (The worker itself is killed next,
            // or gone.)
            if (slot_.cell.lose(word)) return;
        }
    }

    bool refers_to(Position block) const override {
        return slot_.cell.load().state == TaskState::done && slot_.result.block == block;
    }

    void discard() noexcept override {
        if (std::exchange(read_, true)) return;
        const TaskState state = slot_.cell.load().state;
        if (state == TaskState::lost) log_unread_error([&] { return loss; });
        if (state != TaskState::done) return;
        if (slot_.outcome == Outcome::exception)
            log_unread_error([&] { return rebuild(failure_of(message())); });
        free_outcome(slot_.result);
    }

    bool has_helpers() const noexcept override { return false; }
    bool leases_to_workers() const noexcept override { return false; }

    /// Reads the outcome by `read(reader)`, once; throws what the task threw, or why it was lost.
    template <class Read>
    auto read(Read read_value) {
        const ScopeExit done{[&] {
            read_ = true;
            if (slot_.cell.load().state == TaskState::done) free_outcome(slot_.result);
        }};
        const TaskWord word = slot_.cell.load();
        if (word.state == TaskState::lost) std::rethrow_exception(loss ? loss : unknown_loss());
        given.pass_on(0, word.owner);
        if (slot_.outcome == Outcome::exception) throw_remote(failure_of(message()));
        ReceivedResult inheriting{slot_.result};
        Reader reader{message(), &inheriting};
        return read_value(reader);
    }

    std::vector<Block> arguments; // what the call's arguments lie in
    LeaseArray given;
    std::exception_ptr loss; // written before the cell says lost

private:
    std::span<const std::byte> message() const {
        if (slot_.result.block) return outcome_message(slot_.result);
        return {slot_.small_result, static_cast<std::size_t>(slot_.result.bytes)};
    }

    TaskSlot& slot_;
};

/// A map.
class MapWork final : public Work {
public:
    MapWork(PoolView view, std::uint64_t items) : items_(items), view_(view) {}
    ~MapWork() override {
        // No worker looks at it any more. What one had told of a chunk that was lost afterwards is
        // nobody's.
        if (!job_ || !origin_.is_here()) return;
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            if (chunk(i).cell.load().state != TaskState::done) free_failure(chunk(i));
        }
    }

    std::uint64_t items() const noexcept { return items_; }
    MapJob& job() const noexcept { return *job_; }
    MapChunk& chunk(std::uint64_t index) const noexcept { return view_.chunk(*job_, index); }

    void set_job(MapJob& job) noexcept { job_ = &job; }

    bool ended() const override {
        // Chunks end about in order, so each is looked at about once. Release and acquire: what
        // another thread has seen of a chunk is seen here.
        std::uint64_t at = ended_before_.load(std::memory_order_acquire);
        while (at < job_->chunk_count && is_over(chunk(at).cell.load())) ++at;
        ended_before_.store(at, std::memory_order_release);
        return at == job_->chunk_count;
    }

    /// How many items are done, as far as can be seen from here.
    std::uint64_t items_done() const {
        std::uint64_t done = 0;
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            if (is_over(chunk(i).cell.load())) done += chunk(i).end - begin_of(chunk(i));
        }
        for (std::uint32_t worker = 0; worker < view_.shared().workers; ++worker) {
            const WorkerLine& line = view_.line(worker);
            const std::uint64_t index = line.chunk.load(std::memory_order_relaxed);
            const std::uint64_t item = line.item.load(std::memory_order_relaxed) & ~WorkerLine::block_of_items;
            if (line.helping.load(std::memory_order_relaxed) != map_name(slot, generation) || index == 0 ||
                index > job_->chunk_count) // it may be at another map by now
                continue;
            const MapChunk& at = chunk(index - 1);
            const std::uint64_t begin = begin_of(at);
            if (!is_over(at.cell.load()) && item > begin && item <= at.end) done += item - begin;
        }
        return (std::min)(done + items_dead_, items_);
    }

    void on_death(const WorkerDeath& death, std::vector<TaskTicket>& again) override {
        job_->wake_always.store(1, std::memory_order_seq_cst); // it may have died before it could count
        if (death.helping == map_name(slot, generation)) {
            if (const std::optional<std::uint64_t> held = chunk_of(death)) take_back(*held, death);
        }
        // Its replacement, and idle workers, shall help; too many helpers do no harm.
        if (!ended()) again.push_back({slot, generation, 0, true});
    }

    void on_replacement(std::uint32_t line, Incarnation dead) override { callable_given.renew(line, dead); }

    void give_up(const std::exception_ptr& error) noexcept override {
        if (ended()) return; // a waiter may be reading
        given_up_ = error;
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            MapChunk& at = chunk(i);
            for (TaskWord word = at.cell.load(); !is_over(word); word = at.cell.load()) at.cell.lose(word);
        }
    }

    bool has_helpers() const noexcept override { return true; }
    bool leases_to_workers() const noexcept override { return callable_given.bytes_each() != 0; }

    bool refers_to(Position block) const override {
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            const MapChunk& at = chunk(i);
            // A failure is told of when it happens, results when the chunk is done.
            if (at.failed_item.load(std::memory_order_acquire) != no_item && at.failure.block == block)
                return true;
            if (at.cell.load().state == TaskState::done && at.result.block == block) return true;
        }
        return false;
    }

    void discard() noexcept override {
        if (std::exchange(read_, true)) return;
        log_unread_error([&] { return first_error(); });
        free_outcomes();
    }

    /// What is first in the order of the input, whether thrown or lost; null if all went well.
    /// After its end.
    std::exception_ptr first_error() const {
        std::uint64_t first = no_item;
        const MapChunk* thrown = nullptr;
        bool lost = false;
        bool given_up = false;
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            const MapChunk& at = chunk(i);
            if (at.cell.load().state == TaskState::lost) {
                lost = true;
                // A death leaves nothing of a chunk that it makes a lost one, and has noted each
                // item.
                given_up = given_up || begin_of(at) != at.end;
            }
            const std::uint64_t failed = at.failed_item.load(std::memory_order_acquire);
            if (failed >= first) continue;
            first = failed;
            thrown = &at;
        }
        // Then the others may still be written by workers that are yet to be ended.
        if (given_up) return given_up_ ? given_up_ : unknown_loss();
        if (!losses_.empty() && losses_.begin()->first < first) return losses_.begin()->second;
        if (thrown) return rebuild(failure_of(outcome_message(thrown->failure)));
        return lost ? unknown_loss() : nullptr;
    }

    /// Reads the results, once: calls `read(reader, count)` for each chunk in order. Throws the
    /// first error instead.
    template <class Read>
    void read(Read read_chunk) {
        const ScopeExit done{[&] {
            read_ = true;
            free_outcomes();
        }};
        if (const std::exception_ptr error = first_error()) std::rethrow_exception(error);
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            const MapChunk& at = chunk(i);
            ReceivedResult inheriting{at.result};
            Reader reader{at.result.block ? outcome_message(at.result) : std::span<const std::byte>{},
                          &inheriting};
            read_chunk(reader, at.end - begin_of(at));
        }
    }

    std::vector<Block> blocks;                          // job, input, items, output, chunks
    std::vector<std::shared_ptr<SharedObject>> objects; // that input or output lie in, if not in blocks
    LeaseArray callable_given;                          // a copy for each worker
    LeaseArray input_given;

private:
    static std::uint64_t begin_of(const MapChunk& chunk) noexcept {
        return chunk.begin.load(std::memory_order_relaxed);
    }

    /// The chunk that the dead worker had.
    std::optional<std::uint64_t> chunk_of(const WorkerDeath& death) const {
        const auto had = [&](std::uint64_t index) {
            const TaskWord word = chunk(index).cell.load();
            return word.owner == death.dead && (word.state == TaskState::run || word.state == TaskState::doom);
        };
        if (death.chunk != 0 && death.chunk <= job_->chunk_count && had(death.chunk - 1))
            return death.chunk - 1;
        // Killed between the claim and its note, or without one.
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            if (had(i)) return i;
        }
        return std::nullopt;
    }

    /// If it died with an item, or with a block of quick ones, those are lost, and not run again,
    /// as nobody knows how far they had come. What comes after them is not concerned.
    void take_back(std::uint64_t index, const WorkerDeath& death) {
        MapChunk& at = chunk(index);
        const TaskWord word = at.cell.load();
        if (death.chunk == index + 1) {
            const std::uint64_t begin = begin_of(at);
            std::uint64_t rest = std::clamp(death.item + death.items, begin, at.end);
            const std::uint64_t failed = at.failed_item.load(std::memory_order_acquire);
            if (failed >= death.item && failed < rest) {
                rest = failed + 1; // it threw, as it could still say, and had not gone on to the next
            } else if (death.item < rest) {
                losses_.emplace(death.item, death.error(death.item, rest - death.item));
            }
            items_dead_ += rest - begin;
            at.begin.store(rest, std::memory_order_relaxed);
        }
        if (begin_of(at) == at.end) {
            at.cell.lose(word);
            job_->unfinished.fetch_sub(1, std::memory_order_acq_rel);
        } else if (at.cell.publish_again(word)) {
            // A hint, which goes ahead again with the next claim.
            if (job_->cursor.load(std::memory_order_relaxed) > index)
                job_->cursor.store(index, std::memory_order_relaxed);
        }
    }

    void free_outcomes() {
        for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
            if (chunk(i).cell.load().state != TaskState::done) continue;
            free_outcome(chunk(i).result);
            free_failure(chunk(i));
        }
    }
    static void free_failure(const MapChunk& chunk) {
        if (chunk.failed_item.load(std::memory_order_acquire) != no_item) free_outcome(chunk.failure);
    }

    static bool is_over(TaskWord word) noexcept {
        return word.state == TaskState::done || word.state == TaskState::lost;
    }

    const std::uint64_t items_;
    PoolView view_;
    MapJob* job_ = nullptr;
    mutable std::atomic<std::uint64_t> ended_before_{0};
    std::atomic<std::uint64_t> items_dead_{0};
    // Why, written before a cell says lost, and while one says that it is not over.
    std::map<std::uint64_t, std::exception_ptr> losses_; // by item
    std::exception_ptr given_up_;                        // what had not ended then
    const ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail
