#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker.hpp  A worker's side of a pool: it finds work, says what it is at, runs it, and
/// leaves the outcome.

#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/task_context.hpp>
#include <multiprocessing/detail/shared_object/message_contexts.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/reduction.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The process that works, and what it knows of its pool.
class Worker {
public:
    explicit Worker(const WorkerSetup& setup);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    PoolView& view() noexcept { return view_; }
    WorkerLine& line() noexcept { return line_; }

    /// Works until the pool closes and nothing is left, or until it has had its share of tasks.
    void serve();

    /// Does what is announced now, in the process that has announced it: a pool without workers.
    static void serve_here(Position pool);
    static constexpr std::uint32_t lines_here = 64;

    /// The initializer has thrown what is being handled: the parent reads it when this process has
    /// ended.
    void break_down();

    /// Whether a chunk of this many tasks may still be taken on; if not, this worker retires.
    bool may_take(std::uint64_t tasks);
    void count_tasks(std::uint64_t tasks);
    /// Does what is announced above that level. The caller helps with a map of that level, and is
    /// between two of its chunks.
    void work_above(std::size_t level);
    /// Ends this process, which has begun no further item; what is left of its chunk goes to
    /// others.
    [[noreturn]] void leave();

    TaskContext& context() noexcept { return context_; }

    /// Says that `block`, and those that it lists, are about to be told of in a task or chunk; then
    /// hands them over. Killed after this and before the commit, the parent finds them here and
    /// frees them.
    Parcel hand_over(std::span<const std::byte> message, ResultContext returning);
    Parcel hand_over(Block block, std::uint64_t bytes, std::vector<Block> placed);

    /// What was handed over has been told of.
    void has_told() noexcept { line_.handing_over.store(0, std::memory_order_release); }

    /// Commits a task or chunk. If it was doomed, the parent is about to kill this process, and
    /// nothing may be touched. What it has printed goes out first: a task that is done may be the
    /// last that is seen of this process.
    void commit(TaskCell& cell, TaskWord published);

    const Thunk& target(const TaskTarget& target);

    /// The program's code has run: does not return in a copy of the worker that a fork there made
    /// and that came back.
    void require_original() {
        if (witness_.load(std::memory_order_relaxed) != copies_) [[unlikely]]
            leave_copy();
    }

    Incarnation name() const noexcept { return self_.self; }
    std::uint32_t index() const noexcept { return setup_.worker; }

private:
    struct Announcement {
        std::size_t level;
        std::uint64_t head;
        TaskTicket ticket;
    };
    /// The announcement whose turn it is, of a level from `lowest` on; nullopt if there is none, or
    /// if it is the turn of what waits below.
    std::optional<Announcement> next(std::size_t lowest);
    /// Takes it, unless another worker is quicker.
    void take(const Announcement& announced);

    /// False if there has been none for so long that this worker leaves.
    bool wait_for_work();

    /// False if the map was cancelled. Killed behind it: the map has begun, though nothing of it
    /// has.
    static bool takes_up(MapJob& job) noexcept;

    void leave_copy() const;

    void run_task(const TaskTicket& ticket);
    void help(const TaskTicket& ticket, std::size_t level);
    template <class Frame>
    void help_as(const TaskTicket& ticket);

    PoolView view_;
    TreeMember& self_;
    WorkerLine& line_;
    TaskContext& context_;
    const WorkerSetup setup_;
    // See count_copies(); asked for each item, and 0 in a fresh copy.
    const std::atomic<std::uint32_t>& witness_ = *state_root().witness;
    const std::uint32_t copies_ = count_copies();
    std::uint64_t tasks_ = 0;
    bool retires_ = false;
    unsigned turns_[priority_levels] = {}; // by level: claims in a row while lower work waited
    bool is_turn_below_ = false;           // a map is to get a chunk done before higher work is looked for
    TaskTarget last_target_;
    const Thunk* last_thunk_ = nullptr;
};

/// What the code of a single task works on.
struct TaskFrame {
    std::span<const std::byte> arguments;
    std::span<const LeaseEntry> leases;
    Writer& result;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/platform/affinity.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/pool/library_threads.hpp>

#include <bit>
#include <chrono>
#include <cstring>
#include <iterator>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE Worker::Worker(const WorkerSetup& setup)
    : view_(tree().space, setup.pool),
      self_(tree()),
      line_(view_.line(setup.worker)),
      context_(setup.is_here ? TaskContext::of_thread() : process_wide<TaskContext>()),
      setup_(setup) {
    if (setup.is_here) return;
    this_process().ends_family = true;
    platform::record_crashes(view_.crash(setup.worker).text);
    context_.set_worker(static_cast<int>(setup.number));
    if (setup.has_affinity) platform::set_affinity(setup.affinity);
    if (setup.limits_threads) tell_loaded_libraries();
}

MULTIPROCESSING_INLINE void Worker::serve() {
    require_original(); // after the initializer
    line_.state.store(WorkerLine::serving, std::memory_order_release);
    if (!view_.wait_for_place(line_)) retires_ = true;
    while (!retires_ && !line_.is_to_leave.load(std::memory_order_relaxed)) {
        if (const std::optional<Announcement> announced = next(0)) {
            take(*announced);
            continue;
        }
        if (view_.shared().closing.load(std::memory_order_seq_cst) && !view_.has_announced()) break;
        if (wait_for_work()) continue;
        line_.state.store(WorkerLine::idle, std::memory_order_release);
        return;
    }
    line_.state.store(WorkerLine::retired, std::memory_order_release);
    view_.pass_place_on(line_);
}

MULTIPROCESSING_INLINE void Worker::serve_here(Position pool) {
    PoolView view{tree().space, pool};
    std::atomic<std::uint64_t>& taken = view.shared().lines_here;
    std::uint64_t lines = taken.load(std::memory_order_relaxed);
    for (;;) {
        if (lines == ~std::uint64_t{0}) { // another thread is about to give one back
            std::this_thread::yield();
            lines = taken.load(std::memory_order_relaxed);
        } else if (taken.compare_exchange_weak(lines, lines | (lines + 1), std::memory_order_acquire)) {
            break;
        }
    }
    const auto line = static_cast<std::uint32_t>(std::countr_one(lines));
    const ScopeExit given_back{
        [&] { taken.fetch_and(~(std::uint64_t{1} << line), std::memory_order_release); }};
    Worker worker{{.pool = pool, .worker = line, .is_here = 1}};
    while (const std::optional<Announcement> announced = worker.next(0)) worker.take(*announced);
}

MULTIPROCESSING_INLINE void Worker::work_above(std::size_t level) {
    if (std::exchange(is_turn_below_, false)) return;
    while (!retires_) {
        const std::optional<Announcement> announced = next(level + 1);
        if (!announced) return;
        take(*announced);
    }
}

MULTIPROCESSING_INLINE std::optional<Worker::Announcement> Worker::next(std::size_t lowest) {
    constexpr unsigned most_turns = 15; // in a row, while lower work waits; then it is the turn of that
    std::optional<Announcement> waiting;
    for (std::size_t level = priority_levels; level-- > lowest;) {
        const TaskRing* const ring = view_.ring(level);
        if (!ring) continue;
        const std::uint64_t head = ring->head();
        const std::optional<TaskTicket> ticket = ring->peek(head);
        if (!ticket) continue;
        if (waiting && ++turns_[waiting->level] <= most_turns) return waiting;
        if (waiting) turns_[waiting->level] = 0;
        is_turn_below_ = waiting && ticket->wants_helpers; // else it would look for higher work at once
        waiting = Announcement{level, head, *ticket};
    }
    if (waiting && lowest != 0) { // the map below waits as well
        if (++turns_[waiting->level] <= most_turns) return waiting;
        turns_[waiting->level] = 0;
        return std::nullopt;
    }
    return waiting;
}

MULTIPROCESSING_INLINE void Worker::take(const Announcement& announced) {
    const TaskTicket& ticket = announced.ticket;
    TaskRing& ring = *view_.ring(announced.level);
    // Before either: see WorkerLine.
    line_.claiming.store(ticket.slot + std::uint64_t{1}, std::memory_order_release);
    if (ticket.wants_helpers) {
        if (ring.pass(announced.head)) help(ticket, announced.level);
    } else {
        // Won or lost, the announcement has been seen to: the next worker moves the head past it.
        const bool mine = view_.slot(ticket.slot).cell.claim(ticket.published(), self_.self);
        ring.pass(announced.head);
        if (mine) run_task(ticket);
    }
}

MULTIPROCESSING_INLINE void Worker::break_down() {
    const std::vector<std::byte> message = bytes_of_failure(capture_current_exception());
    // No task will tell of the block: it stays in `handing_over`, so that the parent frees it
    // when it has read it.
    line_.failure = hand_over(write_outcome(message, {}), message.size(), {});
    line_.state.store(WorkerLine::broken, std::memory_order_release);
}

MULTIPROCESSING_INLINE bool Worker::may_take(std::uint64_t tasks) {
    // A fresh worker takes whatever it is given: a chunk that is larger than its share must be
    // done by somebody.
    if (!line_.is_to_leave.load(std::memory_order_relaxed) &&
        (setup_.most_tasks == 0 || tasks_ == 0 || tasks_ + tasks <= setup_.most_tasks))
        return true;
    retires_ = true;
    return false;
}

MULTIPROCESSING_INLINE void Worker::leave() {
    line_.state.store(WorkerLine::retired, std::memory_order_release);
    view_.pass_place_on(line_);
    context_.leave();
    finish_child(0);
}

MULTIPROCESSING_INLINE void Worker::count_tasks(std::uint64_t tasks) {
    tasks_ += tasks;
    if (setup_.most_tasks != 0 && tasks_ >= setup_.most_tasks) retires_ = true;
}

MULTIPROCESSING_INLINE Parcel Worker::hand_over(std::span<const std::byte> message, ResultContext returning) {
    const std::uint64_t objects = returning.objects.size();
    std::vector<Block> placed = std::move(returning.blocks);
    std::move(returning.objects.begin(), returning.objects.end(), std::back_inserter(placed));
    Block block = write_outcome(message, placed, objects);
    return hand_over(std::move(block), message.size(), std::move(placed));
}

MULTIPROCESSING_INLINE Parcel Worker::hand_over(Block block, std::uint64_t bytes, std::vector<Block> placed) {
    line_.handing_over.store(block.position(), std::memory_order_release);
    if (setup_.is_here) { // they are where they belong
        for (Block& part : placed) part.release();
        return {block.release(), bytes};
    }
    for (Block& part : placed) self_.heap.hand_over(part.release());
    self_.heap.hand_over(block.position());
    return {block.release(), bytes};
}

MULTIPROCESSING_INLINE void Worker::commit(TaskCell& cell, TaskWord published) {
    platform::flush_what_was_printed();
    if (!cell.commit(published, self_.self)) {
        // Doomed: this process is about to be killed for that, unless it is the caller's own, where
        // nobody else says that it is over.
        while (!setup_.is_here) platform::wait_any({}, Deadline{});
        if (const TaskWord word = cell.load(); word.state == TaskState::doom) cell.lose(word);
    }
    has_told();
}

MULTIPROCESSING_INLINE const Thunk& Worker::target(const TaskTarget& target) {
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

MULTIPROCESSING_INLINE bool Worker::wait_for_work() {
    std::atomic<std::uint64_t>& idle = view_.idle_bits(setup_.worker);
    const std::uint64_t bit = std::uint64_t{1} << setup_.worker % 64;
    // Either this is seen by the thread that announces work, or the work is seen below. One who
    // announces takes the bit away and posts to this line: each picks the worker that it wakes.
    // Killed while the bit stands: the supervisor takes it away and wakes another.
    idle.fetch_or(bit, std::memory_order_seq_cst);
    const Deadline patience =
        setup_.most_idle == 0 ? Deadline{} : Deadline::after(std::chrono::nanoseconds{setup_.most_idle});
    const bool is_called = wait(view_.space().parking(), line_.park, patience, [&] {
        return (idle.load(std::memory_order_relaxed) & bit) == 0 || view_.has_announced() ||
               view_.shared().closing.load(std::memory_order_relaxed) ||
               line_.is_to_leave.load(std::memory_order_relaxed);
    });
    // Whoever takes the bit away has this worker: the one who announces work relies on it, or
    // it leaves. Sequentially consistent: what is announced later finds no bit.
    const bool was_idle = (idle.fetch_and(~bit, std::memory_order_seq_cst) & bit) != 0;
    return is_called || !was_idle || view_.has_announced();
}

MULTIPROCESSING_INLINE bool Worker::takes_up(MapJob& job) noexcept {
    std::uint32_t state = job.taken_up.load(std::memory_order_acquire);
    if (state == map_is_fresh)
        job.taken_up.compare_exchange_strong(state, map_is_begun, std::memory_order_acq_rel);
    return state != map_is_cancelled;
}

MULTIPROCESSING_INLINE void Worker::leave_copy() const {
    if (count_copies() == copies_) return; // the system has no such word
    // Where tasks run in the caller, the copy is one of the program itself, and goes on as such.
    if (!setup_.is_here) end_returned_copy("a task");
}

MULTIPROCESSING_INLINE void Worker::run_task(const TaskTicket& ticket) {
    TaskSlot& slot = view_.slot(ticket.slot);
    line_.task.store(ticket.slot + std::uint64_t{1}, std::memory_order_relaxed);
    const auto deliver = [&](OutcomeKind outcome, std::span<const std::byte> message, ResultContext returning) {
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
        const TaskContext::Scope outer{context_}; // a task that runs in the caller may be inside another
        context_.enter_task(static_cast<int>(slot.attempt.load(std::memory_order_relaxed)),
                            std::chrono::nanoseconds{slot.time_limit});
        target(slot.target).entry(&frame);
        require_original();
        deliver(OutcomeKind::value, result.view(), std::move(returning));
    } catch (const platform::ThrowProbe&) {
    } catch (...) {
        require_original();
        if (platform::is_thread_exit()) finish_child(0);
        deliver(OutcomeKind::exception, bytes_of_failure(capture_current_exception()), {});
    }
    commit(slot.cell, ticket.published());
    post(view_.space().parking(), slot.place);
    view_.tell_if_wanted(ticket.slot);
    line_.task.store(0, std::memory_order_relaxed);
    count_tasks(1);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
