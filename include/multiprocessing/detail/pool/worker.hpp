#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker.hpp  A worker's side of a pool: it finds work, says what it is at, runs it, and
/// leaves the outcome.

#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/shared_object/message_contexts.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/reduction.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a worker is told beside its initializer; the first bytes of its payload.
struct WorkerSetup {
    Position pool;
    std::uint64_t most_tasks; ///< Their number until it is replaced; 0: no limit.
    std::uint32_t worker;     ///< Its line.
};

/// The process that works, and what it knows of its pool.
class Worker {
public:
    explicit Worker(const WorkerSetup& setup)
        : view_(tree().space, setup.pool), self_(tree()), line_(view_.line(setup.worker)), setup_(setup) {
        platform::record_crashes(view_.crash(setup.worker).text);
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    PoolView& view() noexcept { return view_; }
    WorkerLine& line() noexcept { return line_; }

    /// Works until the pool closes and nothing is left, or until it has had its share of tasks.
    void serve() {
        line_.state.store(WorkerLine::serving, std::memory_order_release);
        TaskRing& ring = view_.ring();
        while (!retires_) {
            const std::uint64_t head = ring.head();
            const std::optional<TaskTicket> ticket = ring.peek(head);
            if (!ticket) {
                if (view_.shared().closing.load(std::memory_order_seq_cst) && ring.empty()) break;
                wait_for_work();
                continue;
            }
            // Before either: see WorkerLine.
            line_.claiming.store(ticket->slot + std::uint64_t{1}, std::memory_order_release);
            if (ticket->wants_helpers) {
                if (ring.pass(head)) help(*ticket);
            } else {
                // Won or lost, the announcement has been seen to: the next worker moves the head
                // past it.
                const bool mine = view_.slot(ticket->slot).cell.claim(ticket->published(), self_.self);
                ring.pass(head);
                if (mine) run_task(*ticket);
            }
        }
        line_.state.store(WorkerLine::retired, std::memory_order_release);
    }

    /// The initializer has thrown what is being handled: the parent reads it when this process has
    /// ended.
    void break_down() {
        const std::vector<std::byte> message = bytes_of_failure(capture_current_exception());
        // No task will tell of the block: it stays in `handing_over`, so that the parent frees it
        // when it has read it.
        line_.failure = hand_over(write_outcome(message, {}), message.size(), {});
        line_.state.store(WorkerLine::broken, std::memory_order_release);
    }

    /// Whether a chunk of this many tasks may still be taken on; if not, this worker retires.
    bool may_take(std::uint64_t tasks) {
        // A fresh worker takes whatever it is given: a chunk that is larger than its share must be
        // done by somebody.
        if (setup_.most_tasks == 0 || tasks_ == 0 || tasks_ + tasks <= setup_.most_tasks) return true;
        retires_ = true;
        return false;
    }
    void count_tasks(std::uint64_t tasks) {
        tasks_ += tasks;
        if (setup_.most_tasks != 0 && tasks_ >= setup_.most_tasks) retires_ = true;
    }

    /// Says that `block`, and those that it lists, are about to be told of in a task or chunk; then
    /// hands them over. Killed after this and before the commit, the parent finds them here and
    /// frees them.
    Parcel hand_over(std::span<const std::byte> message, ResultContext returning) {
        const std::uint64_t objects = returning.objects.size();
        std::vector<Block> placed = std::move(returning.blocks);
        std::move(returning.objects.begin(), returning.objects.end(), std::back_inserter(placed));
        Block block = write_outcome(message, placed, objects);
        return hand_over(std::move(block), message.size(), std::move(placed));
    }
    Parcel hand_over(Block block, std::uint64_t bytes, std::vector<Block> placed) {
        line_.handing_over.store(block.position(), std::memory_order_release);
        for (Block& part : placed) self_.heap.hand_over(part.release());
        self_.heap.hand_over(block.position());
        return {block.release(), bytes};
    }

    /// What was handed over has been told of.
    void has_told() noexcept { line_.handing_over.store(0, std::memory_order_release); }

    /// Commits a task or chunk. If it was doomed, the parent is about to kill this process, and
    /// nothing may be touched. What it has printed goes out first: a task that is done may be the
    /// last that is seen of this process.
    void commit(TaskCell& cell, TaskWord published) {
        platform::flush_what_was_printed();
        if (!cell.commit(published, self_.self)) {
            for (;;) platform::wait_any({}, Deadline{});
        }
        has_told();
    }

    const Thunk& target(const TaskTarget& target) {
        if (last_target_.offset != target.offset || last_target_.image != target.image || !last_thunk_) {
            const std::uint32_t images = view_.shared().images.load(std::memory_order_acquire);
            if (target.image >= images)
                throw SerializationError("multiprocessing: a task names an image that its pool does not know");
            const PoolImage& image = view_.shared().image[target.image];
            last_thunk_ = &resolve(ThunkAddress{{image.id, target.offset}, target.fingerprint}, image.file);
            last_target_ = target;
        }
        return *last_thunk_;
    }

    Incarnation name() const noexcept { return self_.self; }
    std::uint32_t index() const noexcept { return setup_.worker; }

private:
    void wait_for_work() {
        TaskRing& ring = view_.ring();
        std::atomic<std::uint64_t>& idle = view_.idle_bits(setup_.worker);
        const std::uint64_t bit = std::uint64_t{1} << setup_.worker % 64;
        // Either this is seen by the thread that announces work, or the work is seen below. One who
        // announces takes the bit away and posts to this line: each picks the worker that it wakes.
        // Killed while the bit stands: the supervisor takes it away and wakes another.
        idle.fetch_or(bit, std::memory_order_seq_cst);
        wait(view_.space().parking(), line_.park, Deadline{}, [&] {
            return (idle.load(std::memory_order_relaxed) & bit) == 0 || !ring.empty() ||
                   view_.shared().closing.load(std::memory_order_relaxed);
        });
        idle.fetch_and(~bit, std::memory_order_relaxed);
    }

    void run_task(const TaskTicket& ticket);
    void help(const TaskTicket& ticket);

    PoolView view_;
    TreeMember& self_;
    WorkerLine& line_;
    const WorkerSetup setup_;
    std::uint64_t tasks_ = 0;
    bool retires_ = false;
    TaskTarget last_target_;
    const Thunk* last_thunk_ = nullptr;
};

/// What the code of a single task works on.
struct TaskFrame {
    std::span<const std::byte> arguments;
    std::span<const LeaseEntry> leases;
    Writer& result;
};

/// What the code of a map works on: the helper's side of a job, chunk by chunk.
class MapFrame {
public:
    MapFrame(Worker& worker, std::uint32_t slot)
        : worker_(worker), index_(slot), slot_(worker.view().slot(slot)), job_(worker.view().job(slot_)) {}

    /// Takes the next chunk, if there is one for this worker.
    bool claim() {
        const std::uint64_t from = (std::min)(job_.cursor.load(std::memory_order_relaxed), job_.chunk_count);
        // The cursor may be ahead of a chunk that was made ready again: the last look is at all of
        // them.
        return claim_in(from, job_.chunk_count) || claim_in(0, from);
    }

    std::uint64_t begin() const noexcept { return chunk_->begin.load(std::memory_order_relaxed); }
    std::uint64_t end() const noexcept { return chunk_->end; }
    /// Says which item is next. After a death, the item that is noted is the one that died with its
    /// worker.
    void note(std::uint64_t item) noexcept { worker_.line().item.store(item, std::memory_order_relaxed); }
    /// The same for a block of quick ones.
    void note_block(std::uint64_t item) noexcept { note(item | WorkerLine::block_of_items); }

    template <class T>
    T* plain_input() const noexcept {
        return &worker_.view().space().template known<T>(job_.input.block);
    }
    template <class T>
    T* plain_output() const noexcept {
        return &worker_.view().space().template known<T>(job_.output.block);
    }
    std::span<const std::byte> callable() const noexcept { return bytes(job_.callable); }
    /// Each worker has its own.
    std::span<const LeaseEntry> callable_leases() const noexcept {
        const std::size_t each = static_cast<std::size_t>(job_.callable_leases.bytes / sizeof(LeaseEntry));
        return {&worker_.view().space().known<const LeaseEntry>(job_.callable_leases.block) +
                    worker_.index() * each,
                each};
    }
    /// An element of an archived input.
    std::span<const std::byte> item(std::uint64_t index) const noexcept {
        const MapItem* const item = &entry<MapItem>(job_.items, index);
        return bytes(job_.input).subspan(item[0].offset, item[1].offset - item[0].offset);
    }
    std::span<const LeaseEntry> item_leases(std::uint64_t index) const noexcept {
        const MapItem* const item = &entry<MapItem>(job_.items, index);
        return {&entry<LeaseEntry>(job_.input_leases, item[0].first_lease),
                static_cast<std::size_t>(item[1].first_lease - item[0].first_lease)};
    }

    /// The item threw what is being handled. Only the first of a chunk counts. It is told of at
    /// once: if this worker dies with a later item, the earlier one's error still is the one that
    /// the caller gets.
    void fail(std::uint64_t item) {
        if (has_failed()) return;
        const std::vector<std::byte> message =
            bytes_of_failure(capture_current_exception(static_cast<std::size_t>(item)));
        chunk_->failure = worker_.hand_over(write_outcome(message, {}), message.size(), {});
        // Killed before this: the parent finds the block in the line, told of nowhere, and the item
        // is lost.
        chunk_->failed_item.store(item, std::memory_order_release);
        worker_.has_told();
    }
    bool has_failed() const noexcept { return chunk_->failed_item.load(std::memory_order_relaxed) != no_item; }

    /// The chunk has been worked through; `results` is the archive of its results, or empty.
    void commit(Writer& results, ResultContext returning) {
        // A failure makes the results worthless.
        if (const auto message = results.view();
            !has_failed() && (!message.empty() || !returning.objects.empty())) {
            chunk_->result = worker_.hand_over(message, std::move(returning));
        }
        const std::uint64_t tasks = end() - begin();
        worker_.commit(chunk_->cell, published_);
        chunk_ = nullptr;
        worker_.count_tasks(tasks);
        // Killed here: the last one to finish is not counted, and the supervisor wakes the caller.
        const bool last = job_.unfinished.fetch_sub(1, std::memory_order_seq_cst) == 1;
        if (last || job_.wake_always.load(std::memory_order_seq_cst)) {
            post(worker_.view().space().parking(), slot_.place);
            worker_.view().tell_if_dropped(index_);
        }
    }

    /// What is being handled concerns the map as a whole: every chunk that this worker can get, and
    /// one that it has, fails.
    void fail_rest() {
        for (bool has_chunk = chunk_ || claim(); has_chunk; has_chunk = claim()) {
            fail(begin());
            Writer nothing;
            commit(nothing, {});
        }
    }

private:
    bool claim_in(std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t i = from; i < to; ++i) {
            MapChunk& chunk = worker_.view().chunk(job_, i); // catches up with what was handed out
            const TaskWord word = chunk.cell.load();
            if (word.state != TaskState::ready) continue;
            if (!worker_.may_take(chunk.end - chunk.begin.load(std::memory_order_relaxed))) {
                // Retired, the parent has another one help in its place.
                worker_.line().left.store(worker_.line().helping.load(std::memory_order_relaxed),
                                          std::memory_order_release);
                return false;
            }
            if (!chunk.cell.claim(word, worker_.name())) continue;
            job_.cursor.store(i + 1, std::memory_order_relaxed);
            chunk_ = &chunk;
            published_ = word;
            // The item first: while the line names another chunk, it says nothing about this one.
            // Killed in between, none of its items was begun.
            note(begin());
            worker_.line().chunk.store(i + 1, std::memory_order_release);
            chunk.result = {}; // a failure stays: of an earlier item, whose worker died with a later one
            return true;
        }
        return false;
    }

    std::span<const std::byte> bytes(const Parcel& parcel) const noexcept {
        return {&worker_.view().space().known<const std::byte>(parcel.block),
                static_cast<std::size_t>(parcel.bytes)};
    }
    template <class T>
    const T& entry(const Parcel& parcel, std::uint64_t index) const noexcept {
        return worker_.view().space().template known<const T>(parcel.block + index * sizeof(T));
    }

    Worker& worker_;
    const std::uint32_t index_;
    TaskSlot& slot_;
    MapJob& job_;
    MapChunk* chunk_ = nullptr;
    TaskWord published_;
};

inline void Worker::run_task(const TaskTicket& ticket) {
    TaskSlot& slot = view_.slot(ticket.slot);
    line_.task.store(ticket.slot + std::uint64_t{1}, std::memory_order_relaxed);
    const auto deliver = [&](Outcome outcome, std::span<const std::byte> message, ResultContext returning) {
        slot.outcome = outcome;
        if (message.size() <= TaskSlot::inline_bytes && returning.blocks.empty() && returning.objects.empty()) {
            if (!message.empty()) std::memcpy(slot.small_result, message.data(), message.size());
            slot.result = {0, message.size()};
        } else {
            slot.result = hand_over(message, std::move(returning));
        }
    };
    try {
        const std::byte* const arguments =
            slot.arguments.block ? view_.bytes(slot.arguments.block) : slot.small_arguments;
        const auto* const leases = &view_.space().at<const LeaseEntry>(slot.leases.block);
        ResultContext returning;
        Writer result{&returning};
        TaskFrame frame{{arguments, static_cast<std::size_t>(slot.arguments.bytes)},
                        {leases, static_cast<std::size_t>(slot.leases.bytes / sizeof(LeaseEntry))},
                        result};
        target(slot.target).entry(&frame);
        deliver(Outcome::value, result.view(), std::move(returning));
    } catch (const platform::ThrowProbe&) {
    } catch (...) {
        if (platform::is_thread_exit()) finish_child(0);
        deliver(Outcome::exception, bytes_of_failure(capture_current_exception()), {});
    }
    commit(slot.cell, ticket.published());
    post(view_.space().parking(), slot.place);
    view_.tell_if_dropped(ticket.slot);
    line_.task.store(0, std::memory_order_relaxed);
    count_tasks(1);
}

inline void Worker::help(const TaskTicket& ticket) {
    TaskSlot& slot = view_.slot(ticket.slot);
    line_.chunk.store(0, std::memory_order_relaxed);
    // The promise first, then the look, both sequentially consistent: either the parent, which
    // first recycles the slot and then looks for promises, waits for us, or we see that the map is
    // over.
    line_.helping.store(map_name(ticket.slot, ticket.generation), std::memory_order_seq_cst);
    if (slot.cell.load() == ticket.published()) {
        MapFrame frame{*this, ticket.slot};
        try {
            target(slot.target).entry(&frame);
        } catch (const platform::ThrowProbe&) {
        } catch (...) {
            if (platform::is_thread_exit()) finish_child(0);
            frame.fail_rest();
        }
    }
    line_.helping.store(0, std::memory_order_release);
}

} // namespace multiprocessing::inline v1::detail
