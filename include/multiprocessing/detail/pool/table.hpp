#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file table.hpp  The parent's side of a pool's table: giving out slots, announcing work, dealing
/// with deaths.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/pool/admission.hpp>
#include <multiprocessing/detail/pool/announcer.hpp>
#include <multiprocessing/detail/pool/callbacks.hpp>
#include <multiprocessing/detail/pool/itemized_work.hpp>
#include <multiprocessing/detail/pool/lists.hpp>
#include <multiprocessing/detail/pool/map_work.hpp>
#include <multiprocessing/detail/pool/policed_works.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/detail/pool/work_slots.hpp>
#include <multiprocessing/detail/pool/worker_demand.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The table of a pool. Shared by the pool, its supervisor and the results that have not been read;
/// belongs to the process that made it.
///
/// Under its mutex no code of the program's runs, nothing is written, and nothing is searched for:
/// what a result, a task or a death concerns is found by its slot.
class PoolTable : public std::enable_shared_from_this<PoolTable> {
public:
    /// `successors`: how many workers there may be beside them, which are to take over from one.
    explicit PoolTable(std::uint32_t workers, std::uint32_t successors = 0);
    ~PoolTable();
    PoolTable(const PoolTable&) = delete;
    PoolTable& operator=(const PoolTable&) = delete;

    const PoolView& view() const noexcept { return view_; }
    Position position() const noexcept { return shared_.position(); }
    std::uint32_t workers() const noexcept { return view_.shared().workers; }
    /// How many processes there may be at once; each has a line.
    std::uint32_t lines() const noexcept { return view_.shared().line_count; }
    platform::Doorbell& bell() noexcept { return bell_; }
    WorkerDemand& demand() noexcept { return demand_; }
    Callbacks& callbacks() noexcept { return callbacks_; }
    /// Holds the leases of what workers kept beyond their tasks.
    const std::shared_ptr<const KeptLeases>& kept_leases() const noexcept { return kept_leases_; }

    /// What is thrown at a thread that submits when the pool was closed. Before the first one does.
    void set_refusal(std::exception_ptr (*refusal)()) noexcept { admission_.set_refusal(refusal); }

    // ---- For threads that submit ----

    /// Throws if the pool takes no more; see enter().
    void require_open();

    /// See Admission.
    void enter_stream();
    void leave_stream() noexcept;
    void end_streams();

    /// A slot for `make(slot)`, which returns a Work. Throws if the pool takes no more:
    /// the refusal when it was closed, or what broke it.
    template <class Make>
    auto enter(Make make, bool of_stream = false) {
        for (bool swept = false;; swept = true) {
            EndingWorks ending;
            DroppedWorks dropped;
            const WakeCallbacks wake{callbacks_};
            {
                std::lock_guard lock{mutex_};
                require_open_now(of_stream);
                if (slots_.is_full() && !swept) sweep(dropped, ending);
                if (dropped.empty()) {
                    if (slots_.is_full()) slots_.grow();
                    return slots_.take(make);
                }
            }
            discard(dropped);
        }
    }

    /// How a slot names a thunk of an image that holds `file`. Called by the `make` of enter().
    TaskTarget target(const ThunkAddress& address, const std::string& file);

    /// The slot has been filled: any worker may take it, or, if `helpers` is not 0, so many are
    /// called to help. If it throws, nothing has been announced.
    void announce(Work& work, std::uint32_t helpers, bool of_stream = false);

    /// A slot that was entered and could not be filled is free again.
    void leave(const Work& work) noexcept;

    /// Waits until the work has ended, or another thread `has_read` it; false when the deadline
    /// passed.
    template <class HasRead>
    bool wait_for(const Work& work, const Deadline& deadline, HasRead has_read) {
        return wait(view_.space().parking(), view_.slot(work.slot).place, deadline,
                    [&] { return has_read() || work.ended(); });
    }
    /// Waits where the work was waited for, until another thread `has_read` it and calls
    /// tell_readers().
    template <class HasRead>
    bool wait_for_reader(std::uint32_t slot, const Deadline& deadline, HasRead has_read) {
        return wait(view_.space().parking(), view_.slot(slot).place, deadline, has_read);
    }
    /// Wakes a thread that waits for items of it.
    void tell_stream(const Work& work) noexcept;
    void tell_readers(std::uint32_t slot) noexcept;

    /// The work has been read, or nobody will: its slot is free again, as soon as no worker can be
    /// looking at it.
    void release(const std::shared_ptr<Work>& work) noexcept;

    bool is_running(const std::shared_ptr<Work>& work);

    /// Takes the work back if nothing of it has begun; see ResultBase.
    bool cancel(const std::shared_ptr<Work>& work);

    /// Takes back all work of which nothing has begun.
    void cancel_waiting();

    /// Takes the work back, and has the supervisor end the workers that run it.
    bool kill(const std::shared_ptr<Work>& work);

    /// The results of an itemized map are of no interest any more: what has not begun is taken
    /// back, and workers stop at the next item.
    void abandon(const std::shared_ptr<ItemizedMapWork>& work) noexcept;

    /// All results of an itemized map were taken. Its worker may be about to commit, and keeps the
    /// memory as long as that takes.
    void finish_reading(const std::shared_ptr<ItemizedMapWork>& work) noexcept;

    /// What has come of an item, of a map that may not have ended; see ItemizedMapWork.
    ItemOutcome parents_outcome_of(const ItemizedMapWork& work, std::uint64_t item, bool item_ended);
    bool is_decided(const ItemizedMapWork& work, std::uint64_t item);

    // ---- For results with callbacks ----

    /// Calls the hooks of `result` when `work` has ended, in the thread for callbacks.
    void watch(const std::shared_ptr<Work>& work, std::shared_ptr<ResultBase> result);
    /// The same for one that is known to have ended.
    void call_hooks_of(std::shared_ptr<ResultBase> result);

    // ---- For the supervisor ----

    /// Whether anything has not ended.
    bool has_unfinished();
    /// Whether anything waits to be taken.
    bool has_waiting();

    /// No more work is taken; workers end when what is there is done.
    void close();
    bool is_closed();
    /// Tells the workers that, once everything has been announced; true if they know.
    bool close_shared();
    /// Tells them at once.
    void end_shared() noexcept;

    /// Nothing more will come of any work that has not ended; none is taken any more. A waiter
    /// gets `error`.
    void give_up(const std::exception_ptr& error, bool broken) noexcept;
    /// Workers that are to be killed for what they are at.
    std::vector<Incarnation> take_doomed();
    /// After give_up(): the workers are gone, and nobody looks at the memory of what was given up.
    void workers_are_gone() noexcept;
    std::exception_ptr broken();

    /// A worker is dead. Its task is lost or announced again, its line is clean for the next. If it
    /// throws, it can be called again with the same. Returns whether something that has failed is
    /// tried again.
    bool on_death(std::uint32_t worker, const WorkerDeath& death);

    /// Whether the worker, as far as its line says, is at a task or chunk in one of these states.
    /// The worker goes on meanwhile, and what the line names may be over and freed: the works say
    /// what is there, and stay while this looks.
    bool is_at_one_of(const WorkerLine& line, TaskState first, TaskState second) const noexcept;

    /// The blocks that a dead worker was about to hand over. Before its memory is dealt with.
    std::vector<Position> unclaimed(std::uint32_t worker);

    /// Regular chores; true if there is a reason to come again soon.
    bool tick();
    /// When something is to be announced that waits for its time; none: nothing does.
    std::optional<std::chrono::steady_clock::time_point> next_announcement();

    // ---- Of limits ----

    /// All work is to be looked at while it runs, whatever its own limits. Before the first is
    /// submitted.
    void police_all() noexcept { policed_.take_all(); }
    /// How often to look at what runs. When that becomes more, the bell rings.
    Looks looks_needed();
    /// What the worker is at: a single task, or an item of a map that is done item by item.
    std::optional<WorkPoint> point_of(std::uint32_t worker, Incarnation name);
    /// The worker is to be killed for what it is at. False if it has gone on: then it must not be.
    bool doom(std::uint32_t worker, const WorkPoint& point, EndReason reason, std::uint64_t memory);
    /// The worker is to leave before its next task or item; `point` is where it is, if anywhere.
    void ask_to_leave(std::uint32_t worker, const std::optional<WorkPoint>& point);
    /// Ends the maps that are to end with their first failure, and have failed.
    void end_failed();
    /// What the worker was killed for.
    const Verdict& verdict_of(std::uint32_t worker) const noexcept { return verdicts_[worker]; }

private:
    void require_open_now(bool of_stream = false) const;

    /// Of what helping says: plus 1; 0 if it says nothing.
    static std::uint64_t slot_in(std::uint64_t map) noexcept { return map ? slot_of_map(map) + 1 : 0; }
    /// Announces what waited for its time; returns how much that was.
    std::uint32_t announce_later();

    /// There is room for it.
    void push(const TaskTicket& ticket) noexcept;

    /// It is to look again within a slice, until there is no reason any more: it is woken at most
    /// once in a while.
    void call_supervisor() noexcept;

    void free_slot(Work& work, EndingWorks& ending) noexcept;

    /// Finds what has ended and was dropped or is watched: the workers that ended it have said so.
    void sweep(DroppedWorks& dropped, EndingWorks& ending) noexcept;
    /// Takes away the bits that are set, and calls `visit(index)` for each.
    template <class Visit>
    static void for_each_bit(std::atomic<std::uint64_t>* words, std::size_t count, Visit visit) {
        for (std::size_t first = 0; first < count; first += 64) {
            std::atomic<std::uint64_t>& word = words[first / 64];
            if (word.load(std::memory_order_relaxed) == 0) continue;
            for (std::uint64_t bits = word.exchange(0, std::memory_order_seq_cst); bits != 0;
                 bits &= bits - 1) {
                const std::size_t index = first + static_cast<std::size_t>(std::countr_zero(bits));
                if (index < count) visit(index);
            }
        }
    }

    /// Made before the mutex is taken: wakes the thread for callbacks, if there is a reason, when
    /// it has been given back.
    struct WakeCallbacks {
        explicit WakeCallbacks(Callbacks& woken) : callbacks(woken) {}
        WakeCallbacks(const WakeCallbacks&) = delete;
        WakeCallbacks& operator=(const WakeCallbacks&) = delete;
        ~WakeCallbacks() { callbacks.wake(); }
        Callbacks& callbacks;
    };

    /// It has ended, or been read: what it is watched for is due.
    void take_watcher(Work& work) noexcept;
    /// It was ended by this process.
    void tell_of_end(Work& work) noexcept;

    /// There is, or will be, a result with hooks.
    void call_back();

    /// Without the mutex.
    void discard(const DroppedWorks& dropped) noexcept;

    /// Whether what the worker was at refers to that block.
    bool is_told_of(Position block, const WorkerLine& line);

    Block shared_;
    Block lines_;
    Block crashes_;
    Block idle_;
    PoolView view_;
    platform::Doorbell bell_;
    WorkerDemand demand_;
    Callbacks callbacks_;
    const std::shared_ptr<const KeptLeases> kept_leases_ = std::make_shared<const KeptLeases>();
    const ForkOrigin origin_;

    mutable Mutex mutex_;
    WorkSlots slots_{view_};
    Announcer announcer_{view_};
    PolicedWorks policed_;
    Admission admission_;
    std::size_t dropped_ = 0; // how many were dropped and not yet found to have ended
    std::size_t watched_ = 0; // works with a watcher
    bool is_watched_ = false; // the supervisor looks again within a slice, without being called
    bool was_needed_ = false; // there was a reason to, when it last looked or since
    std::vector<platform::ImageId> images_;
    std::vector<Incarnation> doomed_; // see take_doomed()
    std::vector<SlotUse> later_;      // works of which something is to be announced at its time
    std::optional<std::chrono::steady_clock::time_point> next_later_ = {};
    std::vector<Verdict> verdicts_; // by worker; the supervisor's alone
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/process_barrier.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE PoolTable::PoolTable(std::uint32_t workers, std::uint32_t successors)
    : shared_(tree().heap.allocate_zeroed(sizeof(PoolShared))),
      lines_(tree().heap.allocate_zeroed((workers + successors) * sizeof(WorkerLine))),
      crashes_(tree().heap.allocate_zeroed((workers + successors) * sizeof(CrashRecord))),
      idle_(tree().heap.allocate_zeroed((workers + successors + 63) / 64 * sizeof(std::uint64_t))),
      view_(tree().space, shared_.position()),
      demand_(view_, bell_, workers),
      callbacks_(view_) {
    PoolShared& shared = view_.shared();
    shared.workers = workers;
    shared.line_count = workers + successors;
    shared.lines = lines_.position();
    shared.crashes = crashes_.position();
    shared.idle = idle_.position();
    verdicts_.resize(shared.line_count);
    shared.has_barrier = platform::has_process_barrier();
}

MULTIPROCESSING_INLINE PoolTable::~PoolTable() {
    // No worker is left, and no result: nobody will read what is here.
    if (origin_.is_here()) {
        for (const auto& work : slots_.all()) {
            if (work) work->discard(admission_.termination());
        }
    }
}

MULTIPROCESSING_INLINE void PoolTable::require_open() {
    std::lock_guard lock{mutex_};
    require_open_now();
}

MULTIPROCESSING_INLINE void PoolTable::enter_stream() {
    std::lock_guard lock{mutex_};
    require_open_now();
    admission_.enter_stream();
}

MULTIPROCESSING_INLINE void PoolTable::leave_stream() noexcept {
    {
        std::lock_guard lock{mutex_};
        admission_.leave_stream();
        if (!admission_.is_over()) return;
    }
    bell().ring();
}

MULTIPROCESSING_INLINE void PoolTable::end_streams() {
    std::lock_guard lock{mutex_};
    admission_.end_streams();
}

MULTIPROCESSING_INLINE TaskTarget PoolTable::target(const ThunkAddress& address, const std::string& file) {
    const auto known = std::find(images_.begin(), images_.end(), address.place.image);
    const auto index = static_cast<std::uint32_t>(known - images_.begin());
    if (known == images_.end()) {
        if (index == PoolShared::most_images)
            throw std::length_error("multiprocessing: the tasks of a pool come from more than 32 "
                                    "libraries: make a second pool for the others");
        PoolImage& image = view_.shared().image[index];
        image.id = address.place.image;
        std::strncpy(image.file, file.c_str(), sizeof image.file - 1);
        images_.push_back(address.place.image);
        view_.shared().images.store(index + 1, std::memory_order_release);
    }
    return {index, address.place.offset, address.fingerprint};
}

MULTIPROCESSING_INLINE void PoolTable::announce(Work& work, std::uint32_t helpers, bool of_stream) {
    const std::uint32_t tickets = (std::max)(1u, helpers);
    TaskSlot& slot = view_.slot(work.slot);
    bool rings = false;
    {
        std::lock_guard lock{mutex_};
        require_open_now(of_stream); // terminated meanwhile: what was given up then was not published
        announcer_.reserve(work.policy.level, tickets);
        rings = policed_.add(work, slots_); // the last that may fail: what it says is not to be lost
        if (work.leases_to_workers()) slots_.add_leasing(work);
        // From here on nothing can fail: a worker may have it already.
        const TaskWord published =
            slot.cell.publish(slot.cell.load(), helpers ? TaskState::open : TaskState::ready);
        const TaskTicket ticket{work.slot, published.generation, published.attempt, helpers != 0};
        for (std::uint32_t i = 0; i < tickets; ++i) push(ticket);
    }
    demand_.call(tickets);
    if (rings) bell_.ring();
}

MULTIPROCESSING_INLINE void PoolTable::leave(const Work& work) noexcept {
    EndingWorks ending;
    std::lock_guard lock{mutex_};
    slots_.put_back(work, ending);
}

MULTIPROCESSING_INLINE void PoolTable::tell_stream(const Work& work) noexcept {
    if (ItemizedAttention* const attention = work.attention()) post(view_.space().parking(), attention->place);
}

MULTIPROCESSING_INLINE void PoolTable::tell_readers(std::uint32_t slot) noexcept {
    post(view_.space().parking(), view_.slot(slot).place);
}

MULTIPROCESSING_INLINE void PoolTable::release(const std::shared_ptr<Work>& work) noexcept {
    EndingWorks ending;
    const WakeCallbacks wake{callbacks_};
    std::exception_ptr expected;
    {
        std::lock_guard lock{mutex_};
        if (!slots_.holds(work)) return;
        if (work->is_read()) {
            take_watcher(*work);
            return free_slot(*work, ending);
        }
        // Sequentially consistent, before the look: either the worker that ends it sees this,
        // or its end is seen here.
        view_.slot(work->slot).end_flags.fetch_or(end_is_dropped, std::memory_order_seq_cst);
        if (!work->ended()) { // it goes on, and nobody waits for it
            work->dropped = true;
            ++dropped_;
            return call_supervisor();
        }
        work->leaving = true;
        expected = admission_.termination();
    }
    work->discard(expected);
    std::lock_guard lock{mutex_};
    free_slot(*work, ending);
}

MULTIPROCESSING_INLINE bool PoolTable::is_running(const std::shared_ptr<Work>& work) {
    std::lock_guard lock{mutex_};
    return slots_.holds(work) && work->running();
}

MULTIPROCESSING_INLINE bool PoolTable::cancel(const std::shared_ptr<Work>& work) {
    {
        std::lock_guard lock{mutex_};
        if (!slots_.holds(work) || !work->cancel()) return false;
    }
    tell_of_end(*work);
    return true;
}

MULTIPROCESSING_INLINE void PoolTable::cancel_waiting() {
    std::vector<std::shared_ptr<Work>> all;
    {
        std::lock_guard lock{mutex_};
        for (const auto& work : slots_.all()) {
            if (work && !work->leaving && slots_.is_published(*work)) all.push_back(work);
        }
    }
    for (const auto& work : all) cancel(work);
}

MULTIPROCESSING_INLINE bool PoolTable::kill(const std::shared_ptr<Work>& work) {
    {
        std::lock_guard lock{mutex_};
        if (!slots_.holds(work)) return false;
        doomed_.reserve(doomed_.size() + lines());
        if (!work->kill(doomed_)) return false;
    }
    bell_.ring();
    if (work->ended()) tell_of_end(*work);
    return true;
}

MULTIPROCESSING_INLINE void PoolTable::abandon(const std::shared_ptr<ItemizedMapWork>& work) noexcept {
    {
        std::lock_guard lock{mutex_};
        if (slots_.holds(work)) {
            work->abandon();
            work->cancel_rest();
        }
    }
    release(work);
}

MULTIPROCESSING_INLINE void PoolTable::finish_reading(const std::shared_ptr<ItemizedMapWork>& work) noexcept {
    {
        std::lock_guard lock{mutex_};
        work->set_read();
    }
    release(work);
}

MULTIPROCESSING_INLINE ItemOutcome PoolTable::parents_outcome_of(const ItemizedMapWork& work,
                                                                 std::uint64_t item, bool item_ended) {
    std::lock_guard lock{mutex_};
    return work.parents_outcome_of(item, item_ended);
}

MULTIPROCESSING_INLINE bool PoolTable::is_decided(const ItemizedMapWork& work, std::uint64_t item) {
    std::lock_guard lock{mutex_};
    return work.is_decided(item);
}

MULTIPROCESSING_INLINE void PoolTable::watch(const std::shared_ptr<Work>& work,
                                             std::shared_ptr<ResultBase> result) {
    {
        std::lock_guard lock{mutex_};
        if (slots_.holds(work)) {
            if (!std::exchange(work->watcher, std::move(result))) ++watched_;
            // As in release().
            view_.slot(work->slot).end_flags.fetch_or(end_is_watched, std::memory_order_seq_cst);
            if (work->ended()) take_watcher(*work);
        } else {
            callbacks_.add(std::move(result));
        }
    }
    call_back();
}

MULTIPROCESSING_INLINE void PoolTable::call_hooks_of(std::shared_ptr<ResultBase> result) {
    callbacks_.add(std::move(result));
    call_back();
}

MULTIPROCESSING_INLINE bool PoolTable::has_unfinished() {
    std::lock_guard lock{mutex_};
    return std::any_of(slots_.all().begin(), slots_.all().end(), [this](const auto& work) {
        // What is being submitted has no items to ask yet; what was read may be here still.
        return work && !work->leaving && (!slots_.is_published(*work) || !work->ended());
    });
}

MULTIPROCESSING_INLINE bool PoolTable::has_waiting() {
    std::lock_guard lock{mutex_};
    return announcer_.has_backlog() || view_.has_announced();
}

MULTIPROCESSING_INLINE void PoolTable::close() {
    std::lock_guard lock{mutex_};
    admission_.close();
}

MULTIPROCESSING_INLINE bool PoolTable::is_closed() {
    std::lock_guard lock{mutex_};
    return admission_.is_closed();
}

MULTIPROCESSING_INLINE bool PoolTable::close_shared() {
    {
        std::lock_guard lock{mutex_};
        if (!admission_.is_over() || announcer_.has_backlog() || !later_.empty()) return false;
    }
    if (!view_.shared().closing.load(std::memory_order_relaxed)) end_shared();
    return true;
}

MULTIPROCESSING_INLINE void PoolTable::end_shared() noexcept {
    view_.shared().closing.store(1, std::memory_order_seq_cst);
    for (std::uint32_t i = 0; i < lines(); ++i) post(view_.space().parking(), view_.line(i).park);
}

MULTIPROCESSING_INLINE void PoolTable::give_up(const std::exception_ptr& error, bool broken) noexcept {
    std::size_t slot_count = 0;
    {
        std::lock_guard lock{mutex_};
        broken ? admission_.end_broken(error) : admission_.end_terminated(error);
        slots_.hold_back();
        announcer_.clear();
        for (const auto& work : slots_.all()) {
            if (!work || !slots_.is_published(*work)) continue;
            work->give_up(error);
            if (work->dropped || work->watcher) view_.tell_of(work->slot);
        }
        slot_count = slots_.all().size();
    }
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
        tell_readers(static_cast<std::uint32_t>(slot));
        std::shared_ptr<Work> work; // ends without the mutex
        {
            std::lock_guard lock{mutex_};
            work = slots_.at(static_cast<std::uint32_t>(slot));
        }
        if (work) tell_stream(*work);
    }
    view_.call_back();
}

MULTIPROCESSING_INLINE std::vector<Incarnation> PoolTable::take_doomed() {
    std::lock_guard lock{mutex_};
    return std::exchange(doomed_, {});
}

MULTIPROCESSING_INLINE void PoolTable::workers_are_gone() noexcept {
    EndingWorks ending;
    std::lock_guard lock{mutex_};
    slots_.free_held_back(ending);
    if (slots_.has_late()) call_supervisor();
}

MULTIPROCESSING_INLINE std::exception_ptr PoolTable::broken() {
    std::lock_guard lock{mutex_};
    return admission_.broken();
}

MULTIPROCESSING_INLINE bool PoolTable::on_death(std::uint32_t worker, const WorkerDeath& death) {
    // What it may have had, and not have told anybody of: the task that it had claimed, or a
    // map.
    std::array<std::uint64_t, 1 + 2 * priority_levels> concerned{death.claiming};
    for (std::size_t level = 0; level < priority_levels; ++level) {
        concerned[1 + 2 * level] = slot_in(death.helping[level]);
        concerned[2 + 2 * level] = slot_in(death.left[level]);
    }
    Announcements again;
    again.tickets.reserve(concerned.size());
    std::uint32_t pushed = 0;
    bool is_tried_again = false;
    std::array<std::shared_ptr<Work>, std::tuple_size_v<decltype(concerned)>>
        touched; // whose readers are to look again
    {
        std::lock_guard lock{mutex_};
        announcer_.reserve_all(concerned.size());
        later_.reserve(later_.size() + concerned.size());
        view_.idle_bits(worker).fetch_and(~(std::uint64_t{1} << worker % 64), std::memory_order_seq_cst);
        for (std::size_t i = 0; i < concerned.size(); ++i) {
            if (std::find(concerned.begin(), concerned.begin() + static_cast<std::ptrdiff_t>(i),
                          concerned[i]) != concerned.begin() + static_cast<std::ptrdiff_t>(i))
                continue;
            Work* const work = slots_.of(concerned[i]);
            if (!work || work->leaving || !slots_.is_published(*work)) continue;
            touched[i] = slots_.at(work->slot);
            again.due.reset();
            work->on_death(death, again);
            // At once: another work may fail, and what is ready is to be announced.
            for (const TaskTicket& ticket : again.tickets) push(ticket);
            pushed += static_cast<std::uint32_t>(again.tickets.size());
            again.tickets.clear();
            is_tried_again = is_tried_again || again.due;
            if (again.due && !std::exchange(work->has_later, true))
                later_.push_back({work->slot, work->generation});
            // It may have had no time to.
            if (work->dropped || work->watcher) view_.tell_of(work->slot);
        }
        for (const std::uint32_t slot : slots_.leasing()) slots_.at(slot)->on_replacement(worker, death.dead);
        WorkerLine& line = view_.line(worker);
        line.claiming.store(0, std::memory_order_relaxed);
        for (auto& promise : line.helping) promise.store(0, std::memory_order_seq_cst);
        line.chunk.store(0, std::memory_order_relaxed);
        line.item.store(0, std::memory_order_relaxed);
        line.task.store(0, std::memory_order_relaxed);
        for (auto& map : line.left) map.store(0, std::memory_order_relaxed);
        line.handing_over.store(0, std::memory_order_relaxed);
        line.failure = {};
        line.is_to_leave.store(0, std::memory_order_relaxed);
        line.successor.store(0, std::memory_order_relaxed);
        line.is_held.store(0, std::memory_order_relaxed);
        verdicts_[worker] = {};
        line.state.store(WorkerLine::starting, std::memory_order_release);
    }
    // Somebody looks again: the dead one may have been woken in another's place.
    demand_.call(pushed + 1);
    // It may have died between its last deed and the wake for it.
    for (const std::uint64_t slot : concerned) {
        if (slot != 0 && slot <= slots_.count()) tell_readers(static_cast<std::uint32_t>(slot - 1));
    }
    for (const auto& work : touched) {
        if (work) tell_stream(*work);
    }
    view_.call_back();
    return is_tried_again;
}

MULTIPROCESSING_INLINE bool PoolTable::is_at_one_of(const WorkerLine& line, TaskState first,
                                                    TaskState second) const noexcept {
    const std::uint64_t task = line.task.load(std::memory_order_acquire);
    const std::uint64_t chunk = line.chunk.load(std::memory_order_acquire);
    std::lock_guard lock{mutex_};
    const auto is_one = [&](TaskState state) { return state == first || state == second; };
    if (const Work* const work = slots_.of(task); work && is_one(view_.slot(work->slot).cell.load().state))
        return true;
    for (const auto& promise : line.helping) {
        const std::uint64_t map = promise.load(std::memory_order_seq_cst);
        const Work* const work = slots_.of(slot_in(map));
        if (!work || !work->has_helpers() || map != map_name(work->slot, work->generation)) continue;
        const auto& job = static_cast<const MapWork&>(*work);
        if (!slots_.is_published(job) && !job.leaving) continue; // its chunks are yet to be made
        if (chunk != 0 && chunk <= job.job().all_chunks() && is_one(job.head(chunk - 1).cell.load().state))
            return true;
    }
    return false;
}

MULTIPROCESSING_INLINE std::vector<Position> PoolTable::unclaimed(std::uint32_t worker) {
    std::vector<Position> blocks;
    const WorkerLine& line = view_.line(worker);
    const Position block = line.handing_over.load(std::memory_order_acquire);
    if (!block || !view_.space().holds(block, sizeof(OutcomeHead))) return blocks;
    // Told of or not: what a task or chunk that is done refers to has been claimed.
    if (is_told_of(block, line)) return blocks;
    auto& head = view_.space().at<OutcomeHead>(block);
    if (head.blocks > 1'000'000 || !view_.space().holds(block, sizeof head + head.blocks * sizeof(Position)))
        return blocks;
    blocks.assign(head.list(), head.list() + head.blocks);
    blocks.push_back(block);
    return blocks;
}

MULTIPROCESSING_INLINE bool PoolTable::tick() {
    std::uint32_t pushed = 0;
    bool again = false;
    EndingWorks ending;
    DroppedWorks dropped;
    const WakeCallbacks wake{callbacks_};
    {
        std::lock_guard lock{mutex_};
        pushed = announcer_.drain() + announce_later();
        sweep(dropped, ending);
        // A round longer than there is a reason: what comes meanwhile need not ring.
        const bool now = announcer_.has_backlog() || dropped_ != 0 || slots_.has_late();
        again = is_watched_ = std::exchange(was_needed_, now) || now;
    }
    if (pushed) demand_.call(pushed);
    discard(dropped);
    return again;
}

MULTIPROCESSING_INLINE std::uint32_t PoolTable::announce_later() {
    std::uint32_t pushed = 0;
    std::size_t kept = 0;
    next_later_.reset();
    for (std::size_t i = 0; i < later_.size(); ++i) {
        Work* const work = slots_.live(later_[i]);
        if (!work) continue;
        Announcements now;
        work->on_time(now);
        announcer_.reserve(work->policy.level, now.tickets.size());
        for (const TaskTicket& ticket : now.tickets) push(ticket);
        pushed += static_cast<std::uint32_t>(now.tickets.size());
        work->has_later = now.due.has_value();
        if (!now.due) continue;
        next_later_ = next_later_ ? (std::min)(*next_later_, *now.due) : *now.due;
        later_[kept++] = later_[i];
    }
    later_.resize(kept);
    return pushed;
}

MULTIPROCESSING_INLINE std::optional<std::chrono::steady_clock::time_point> PoolTable::next_announcement() {
    std::lock_guard lock{mutex_};
    return next_later_;
}

MULTIPROCESSING_INLINE Looks PoolTable::looks_needed() {
    std::lock_guard lock{mutex_};
    return policed_.needed(slots_);
}

MULTIPROCESSING_INLINE std::optional<WorkPoint> PoolTable::point_of(std::uint32_t worker, Incarnation name) {
    const WorkerLine& line = view_.line(worker);
    std::lock_guard lock{mutex_};
    const std::uint64_t task = line.task.load(std::memory_order_acquire);
    const auto point_in = [&](std::uint64_t slot) -> std::optional<WorkPoint> {
        const Work* const work = slots_.of(slot);
        return work && !work->leaving && slots_.is_published(*work) ? work->point_of(line, name) : std::nullopt;
    };
    if (const auto point = point_in(task)) return point;
    for (const auto& promise : line.helping) {
        if (const auto point = point_in(slot_in(promise.load(std::memory_order_seq_cst)))) return point;
    }
    return std::nullopt;
}

MULTIPROCESSING_INLINE bool PoolTable::doom(std::uint32_t worker, const WorkPoint& point, EndReason reason,
                                            std::uint64_t memory) {
    std::lock_guard lock{mutex_};
    Work* const work = slots_.live({point.slot, point.generation});
    if (!work || !work->doom(point, reason, memory)) return false;
    verdicts_[worker] = {point, reason, memory};
    return true;
}

MULTIPROCESSING_INLINE void PoolTable::ask_to_leave(std::uint32_t worker,
                                                    const std::optional<WorkPoint>& point) {
    {
        std::lock_guard lock{mutex_};
        view_.line(worker).is_to_leave.store(1, std::memory_order_seq_cst);
        Work* const work = point && point->chunk != 0 ? slots_.live({point->slot, point->generation}) : nullptr;
        if (work) static_cast<ItemizedMapWork*>(work)->ask_to_go(*point);
    }
    post(view_.space().parking(), view_.line(worker).park);
}

MULTIPROCESSING_INLINE void PoolTable::end_failed() {
    std::vector<std::shared_ptr<Work>> ended; // whose waiters are to look
    {
        std::lock_guard lock{mutex_};
        policed_.end_failed(slots_, lines(), doomed_, ended);
    }
    for (const auto& work : ended) {
        if (work->ended()) tell_of_end(*work);
    }
}

MULTIPROCESSING_INLINE void PoolTable::require_open_now(bool of_stream) const {
    if (this_process().ends_children.load())
        throw std::runtime_error("multiprocessing: the program is ending, and its pools have been terminated: "
                                 "submit before the end of main()");
    admission_.admit(of_stream);
}

MULTIPROCESSING_INLINE void PoolTable::push(const TaskTicket& ticket) noexcept {
    // The supervisor announces it when there is room.
    if (!announcer_.push(ticket, slots_.at(ticket.slot)->policy.level)) call_supervisor();
}

MULTIPROCESSING_INLINE void PoolTable::call_supervisor() noexcept {
    was_needed_ = true;
    if (!std::exchange(is_watched_, true)) bell_.ring();
}

MULTIPROCESSING_INLINE void PoolTable::free_slot(Work& work, EndingWorks& ending) noexcept {
    slots_.free(work, ending);
    if (slots_.has_late()) call_supervisor();
}

MULTIPROCESSING_INLINE void PoolTable::sweep(DroppedWorks& dropped, EndingWorks& ending) noexcept {
    slots_.drain(ending);
    if (slots_.has_late()) call_supervisor();
    if (dropped_ == 0 && watched_ == 0) return;
    for_each_bit(view_.shared().ended, slots_.segments(), [&](std::size_t segment) {
        for_each_bit(view_.segment(segment).ended, SlotSegment::count, [&](std::size_t at) {
            Work* const work = slots_.of(segment * SlotSegment::count + at + 1);
            if (!work || work->leaving || !work->ended()) return;
            take_watcher(*work);
            if (!work->dropped) return;
            work->leaving = true;
            --dropped_;
            dropped.add(*work);
        });
    });
}

MULTIPROCESSING_INLINE void PoolTable::take_watcher(Work& work) noexcept {
    if (!work.watcher) return;
    --watched_;
    callbacks_.add(std::move(work.watcher));
}

MULTIPROCESSING_INLINE void PoolTable::tell_of_end(Work& work) noexcept {
    tell_readers(work.slot);
    tell_stream(work);
    const WakeCallbacks wake{callbacks_};
    std::lock_guard lock{mutex_};
    if (slots_.at(work.slot).get() == &work) take_watcher(work);
}

MULTIPROCESSING_INLINE void PoolTable::call_back() {
    callbacks_.need_thread(shared_from_this(), [this] {
        EndingWorks ending;
        DroppedWorks dropped;
        bool may_come = false;
        {
            std::lock_guard lock{mutex_};
            sweep(dropped, ending);
            may_come = watched_ != 0;
        }
        discard(dropped);
        return may_come;
    });
    callbacks_.wake();
}

MULTIPROCESSING_INLINE void PoolTable::discard(const DroppedWorks& dropped) noexcept {
    if (dropped.empty()) return;
    std::exception_ptr expected;
    {
        std::lock_guard lock{mutex_};
        expected = admission_.termination();
    }
    dropped.for_each([&](Work& work) { work.discard(expected); });
    EndingWorks ending;
    std::lock_guard lock{mutex_};
    dropped.for_each([&](Work& work) { free_slot(work, ending); });
}

MULTIPROCESSING_INLINE bool PoolTable::is_told_of(Position block, const WorkerLine& line) {
    std::lock_guard lock{mutex_};
    const auto is_told_in = [&](std::uint64_t slot) {
        const Work* const work = slots_.of(slot);
        return work && slots_.is_published(*work) && work->refers_to(block);
    };
    return is_told_in(line.claiming.load(std::memory_order_acquire)) ||
           std::any_of(std::begin(line.helping), std::end(line.helping), [&](const auto& promise) {
               return is_told_in(slot_in(promise.load(std::memory_order_acquire)));
           });
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
