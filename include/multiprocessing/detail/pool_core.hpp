#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pool_core.hpp  The parent's side of a pool's table: giving out slots, announcing work, dealing with deaths.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/outcome.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/pool_layout.hpp>
#include <multiprocessing/detail/pool_work.hpp>
#include <multiprocessing/detail/scope_exit.hpp>
#include <multiprocessing/detail/thunk.hpp>
#include <multiprocessing/detail/tree.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The table of a pool. Shared by the pool, its supervisor and the results that have not been read; belongs to the process
/// that made it.
class PoolCore {
public:
    explicit PoolCore(std::uint32_t workers)
        : shared_(tree().heap.allocate_zeroed(sizeof(PoolShared))),
          ring_(tree().heap.allocate(sizeof(TaskRing))),
          lines_(tree().heap.allocate_zeroed(workers * sizeof(WorkerLine))),
          crashes_(tree().heap.allocate_zeroed(workers * sizeof(CrashRecord))),
          idle_(tree().heap.allocate_zeroed((workers + 63) / 64 * sizeof(std::uint64_t))),
          view_(tree().space, shared_.position()) {
        PoolShared& shared = view_.shared();
        shared.workers = workers;
        shared.ring = ring_.position();
        shared.lines = lines_.position();
        shared.crashes = crashes_.position();
        shared.idle = idle_.position();
        view_.ring().reset();
    }
    ~PoolCore() {
        // Their leases pass to the pool, and end with it: no worker is left.
        works_.clear();
        abandoned_.clear();
        limbo_.clear();
        if (copies_ == self().copies()) leases().end(holder_);
    }
    PoolCore(const PoolCore&) = delete;
    PoolCore& operator=(const PoolCore&) = delete;

    const PoolView& view() const noexcept { return view_; }
    Position position() const noexcept { return shared_.position(); }
    std::uint32_t workers() const noexcept { return view_.shared().workers; }
    platform::Doorbell& bell() noexcept { return bell_; }
    /// Who holds the leases of what a worker kept beyond its task.
    std::uint64_t holder() const noexcept { return holder_; }

    // ---- For who submits ----

    /// A slot for `make(slot)`, which returns a Work. Throws if the pool takes no more: `std::invalid_argument` when it
    /// was closed, or what broke it.
    template <class Make>
    auto enter(Make make) {
        std::lock_guard lock{mutex_};
        require_open();
        sweep();
        if (free_.empty()) add_segment();
        const std::uint32_t slot = free_.back();
        auto work = make(view_.slot(slot));
        work->slot = slot;
        work->generation = view_.slot(slot).cell.load().generation;
        free_.pop_back();
        works_[slot] = work;
        return work;
    }

    /// How a slot names a thunk of an image that holds `file`.
    TaskTarget target(const ThunkAddress& address, const std::string& file) {
        std::lock_guard lock{mutex_};
        const auto known = std::find(images_.begin(), images_.end(), address.place.image);
        const auto index = static_cast<std::uint32_t>(known - images_.begin());
        if (known == images_.end()) {
            if (index == PoolShared::most_images)
                throw std::length_error(
                    "multiprocessing: the tasks of a pool come from more than 32 libraries");
            PoolImage& image = view_.shared().image[index];
            image.id = address.place.image;
            std::strncpy(image.file, file.c_str(), sizeof image.file - 1);
            images_.push_back(address.place.image);
            view_.shared().images.store(index + 1, std::memory_order_release);
        }
        return {index, address.place.offset, address.fingerprint};
    }

    /// The slot has been filled: any worker may take it, or, if `helpers` is not 0, so many are called to help.
    void announce(const Work& work, std::uint32_t helpers) {
        TaskSlot& slot = view_.slot(work.slot);
        {
            std::lock_guard lock{mutex_};
            require_open(); // terminated meanwhile: what was given up then was not published
            const TaskWord published = slot.cell.publish(slot.cell.load());
            const TaskTicket ticket{work.slot, published.generation, published.attempt, helpers != 0};
            for (std::uint32_t i = 0; i < (std::max)(1u, helpers); ++i) push(ticket);
        }
        wake((std::max)(1u, helpers));
    }

    /// A slot that was entered and could not be filled is free again.
    void leave(const Work& work) noexcept {
        std::lock_guard lock{mutex_};
        works_[work.slot].reset();
        free_.push_back(work.slot);
    }

    /// Waits until the work has ended; false when the deadline passed.
    bool wait_for(const Work& work, const Deadline& deadline) {
        return wait(view_.space().parking(), view_.slot(work.slot).place, deadline,
                    [&] { return work.ended(); });
    }

    /// The work has been read, or nobody will: its slot is free again, as soon as no worker can be looking at it.
    void release(const std::shared_ptr<Work>& work) {
        std::lock_guard lock{mutex_};
        if (works_[work->slot] != work) return;
        if (!work->ended()) {
            abandoned_.push_back(work); // it goes on, and nobody waits for it
            return;
        }
        recycle(work->slot);
    }

    // ---- For the supervisor ----

    /// Whether anything has not ended.
    bool has_unfinished() {
        std::lock_guard lock{mutex_};
        return std::any_of(works_.begin(), works_.end(),
                           [](const auto& work) { return work && !work->ended(); });
    }
    /// Whether anything waits to be taken, or even to be announced.
    bool has_waiting() {
        std::lock_guard lock{mutex_};
        return !backlog_.empty() || !view_.ring().empty();
    }

    /// No more work is taken; workers end when what is there is done.
    void close() {
        std::lock_guard lock{mutex_};
        closed_ = true;
    }
    bool is_closed() {
        std::lock_guard lock{mutex_};
        return closed_;
    }
    /// Tells the workers that, once everything has been announced; true if they know.
    bool close_shared() {
        {
            std::lock_guard lock{mutex_};
            if (!closed_ || !backlog_.empty()) return false;
        }
        if (view_.shared().closing.load(std::memory_order_relaxed)) return true;
        view_.shared().closing.store(1, std::memory_order_seq_cst);
        for (std::uint32_t i = 0; i < workers(); ++i) post(view_.space().parking(), view_.line(i).park);
        return true;
    }

    /// Nothing more will come of any work that has not ended; none is taken any more. Who waits gets `error`.
    void give_up(const std::exception_ptr& error, bool broken) {
        {
            std::lock_guard lock{mutex_};
            closed_ = true;
            if (broken && !broken_) broken_ = error;
            backlog_.clear();
            for (const auto& work : works_) {
                if (work && is_published(*work)) work->give_up(error);
            }
        }
        wake_callers();
    }
    std::exception_ptr broken() {
        std::lock_guard lock{mutex_};
        return broken_;
    }

    /// A worker is dead. Its task is lost or announced again, its line is clean for the next.
    void on_death(std::uint32_t worker, const WorkerDeath& death) {
        std::vector<TaskTicket> again;
        {
            std::lock_guard lock{mutex_};
            view_.idle_bits(worker).fetch_and(~(std::uint64_t{1} << worker % 64), std::memory_order_seq_cst);
            for (const auto& work : works_) {
                if (!work || !is_published(*work)) continue;
                work->on_death(death, again);
                work->on_replacement(worker, death.dead);
            }
            WorkerLine& line = view_.line(worker);
            line.helping.store(0, std::memory_order_seq_cst);
            line.chunk.store(0, std::memory_order_relaxed);
            line.item.store(0, std::memory_order_relaxed);
            line.task.store(0, std::memory_order_relaxed);
            line.handing_over.store(0, std::memory_order_relaxed);
            line.failure = {};
            line.state.store(WorkerLine::starting, std::memory_order_release);
            for (const TaskTicket& ticket : again) push(ticket);
        }
        // Everybody looks again: the dead one may have been woken in another's place, or have died between its last
        // deed and the wake for it.
        wake(workers());
        wake_callers();
    }

    /// The blocks that a dead worker was about to hand over. Before its memory is dealt with.
    std::vector<Position> unclaimed(std::uint32_t worker) {
        std::vector<Position> blocks;
        const Position block = view_.line(worker).handing_over.load(std::memory_order_acquire);
        if (!block || !view_.space().holds(block, sizeof(OutcomeHead))) return blocks;
        // Told of or not: what a task or chunk that is done refers to has been claimed.
        if (is_told_of(block)) return blocks;
        auto& head = view_.space().at<OutcomeHead>(block);
        if (head.blocks > 1'000'000 ||
            !view_.space().holds(block, sizeof head + head.blocks * sizeof(Position)))
            return blocks;
        blocks.assign(head.list(), head.list() + head.blocks);
        blocks.push_back(block);
        return blocks;
    }

    /// Regular chores; true if there is a reason to come again soon.
    bool tick() {
        std::uint32_t pushed = 0;
        bool again = false;
        {
            std::lock_guard lock{mutex_};
            while (!backlog_.empty() && view_.ring().push(backlog_.front())) {
                backlog_.pop_front();
                ++pushed;
            }
            sweep();
            again = !backlog_.empty() || !abandoned_.empty() || !limbo_.empty();
        }
        if (pushed) wake(pushed);
        return again;
    }

    /// Wakes up to `count` workers that sleep or are about to.
    void wake(std::uint32_t count) {
        for (std::uint32_t first = 0; first < workers() && count > 0; first += 64) {
            std::atomic<std::uint64_t>& idle = view_.idle_bits(first);
            for (std::uint64_t bits; count > 0 && (bits = idle.load(std::memory_order_seq_cst)) != 0;) {
                const std::uint64_t bit = bits & -bits;
                if (!(idle.fetch_and(~bit, std::memory_order_seq_cst) & bit)) continue; // another was quicker
                post(view_.space().parking(),
                     view_.line(first + static_cast<std::uint32_t>(std::countr_zero(bit))).park);
                --count;
            }
        }
    }

private:
    /// A map that is over, but whose memory a late helper may still be looking at.
    struct Limbo {
        std::shared_ptr<Work> work;
        std::uint64_t name;
    };

    void require_open() const {
        if (broken_) std::rethrow_exception(broken_);
        if (closed_) throw std::invalid_argument("multiprocessing: this pool is closed: it takes no more work");
    }

    bool is_published(const Work& work) const {
        return view_.slot(work.slot).cell.load().state != TaskState::free;
    }

    void add_segment() {
        const std::size_t index = segments_.size();
        if (index == PoolShared::most_segments) {
            throw std::length_error(
                "multiprocessing: a pool has room for 4,194,304 results that nobody has read");
        }
        segments_.emplace_back(tree().heap.allocate_zeroed(PoolShared::segment_slots * sizeof(TaskSlot)));
        view_.shared().segment[index].store(segments_.back().position(), std::memory_order_release);
        const auto first = static_cast<std::uint32_t>(index * PoolShared::segment_slots);
        works_.resize(first + PoolShared::segment_slots);
        for (std::uint32_t i = PoolShared::segment_slots; i-- > 0;) free_.push_back(first + i);
    }

    void push(const TaskTicket& ticket) {
        if (!backlog_.empty() || !view_.ring().push(ticket)) {
            backlog_.push_back(ticket);
            bell_.ring(); // the supervisor announces it when there is room
        }
    }

    void recycle(std::uint32_t slot) {
        std::shared_ptr<Work> work = std::move(works_[slot]);
        work->discard();
        view_.slot(slot).cell.recycle();
        const std::uint64_t name = map_name(slot, work->generation);
        limbo_.push_back({std::move(work), name});
        drain_limbo();
    }

    void drain_limbo() {
        std::erase_if(limbo_, [&](Limbo& limbo) {
            // The slot was recycled first; who promises to hold on to this map after that finds it over, and lets go.
            for (std::uint32_t i = 0; i < workers(); ++i) {
                if (view_.line(i).helping.load(std::memory_order_seq_cst) == limbo.name) return false;
            }
            free_.push_back(limbo.work->slot);
            return true;
        });
    }

    /// Frees what has ended and nobody will read.
    void sweep() {
        if (!limbo_.empty()) drain_limbo();
        std::erase_if(abandoned_, [&](const std::shared_ptr<Work>& work) {
            if (!work->ended()) return false;
            recycle(work->slot);
            return true;
        });
    }

    void wake_callers() {
        std::lock_guard lock{mutex_};
        for (const auto& work : works_) {
            if (work) post(view_.space().parking(), view_.slot(work->slot).place);
        }
    }

    bool is_told_of(Position block) {
        std::lock_guard lock{mutex_};
        return std::any_of(works_.begin(), works_.end(),
                           [&](const auto& work) { return work && work->refers_to(block); });
    }

    Block shared_;
    Block ring_;
    Block lines_;
    Block crashes_;
    Block idle_;
    PoolView view_;
    platform::Doorbell bell_;
    const std::uint64_t holder_ = leases().new_holder();
    const std::uint32_t copies_ = self().copies();

    mutable std::mutex mutex_;
    std::vector<Block> segments_;
    std::vector<std::uint32_t> free_;
    std::vector<std::shared_ptr<Work>> works_; // by slot
    std::vector<std::shared_ptr<Work>> abandoned_;
    std::vector<Limbo> limbo_;
    std::deque<TaskTicket> backlog_;
    std::vector<platform::ImageId> images_;
    bool closed_ = false;
    std::exception_ptr broken_;
};

} // namespace multiprocessing::inline v1::detail
