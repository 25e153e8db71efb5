#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file itemized_run.hpp  The loop of a map that is done item by item, in a worker: each result
/// counts when its item has ended.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/launch/child_main.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/pool/map_run.hpp>
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/pool/worker.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// The frame of a map that is done item by item.
class ItemFrame : public HelperFrame {
public:
    ItemFrame(Worker& worker, std::uint32_t slot);

    /// Takes the next chunk, if there is one for this worker.
    bool claim();

    /// All items before `next` have ended; that one begins now if it `runs`. False if nobody wants
    /// the rest.
    ///
    /// A plain store and a plain load: the load may be done before others see the store, so that a
    /// reader that has just lain down, and has seen the item before, is not woken now. It is at the
    /// next item, or at the commit, whose compare-and-swap orders both; or looks by itself within a
    /// slice. A compare-and-swap here costs three times as much as a quick item.
    ///
    /// Where somebody may want this worker killed for an item, that will not do: it asks first,
    /// and looks then, and either must see that the worker has gone on, or the worker that it was
    /// asked. Its side executes a barrier for both (platform/process_barrier.hpp), or, where the
    /// system has none, this stores and loads in one total order, for 2 ns.
    bool advance(std::uint64_t next, bool runs);

    /// What came of the item that runs, as a record. Killed before advance(): the parent cuts it
    /// off, and the item is lost.
    void keep(OutcomeKind kind, std::uint64_t item, std::span<const std::byte> message,
              ResultContext returning);
    /// The item threw what is being handled.
    void fail(std::uint64_t item);
    /// The item before `next` has failed, and advance() was told that it has ended: the map may be
    /// over by that. Not before, as what a worker has not ended it may be killed with.
    bool go_on_after_failure(std::uint64_t next);

    /// This worker has done what it had to do of the chunk.
    void commit();

    /// What is being handled concerns the map as a whole: every item that this worker can get, and
    /// those of the chunk that it has, fail.
    void fail_rest();

private:
    static constexpr std::size_t most_inline = 4096;
    static constexpr std::uint64_t most_of_segment = 64 * 1024 - 128;

    ItemizedChunk& chunk() const noexcept { return static_cast<ItemizedChunk&>(*chunk_); }

    void show(std::uint64_t next, bool runs) noexcept;
    /// Something is wanted of whoever works on this map. Meanwhile no item runs, so that a death
    /// costs none.
    bool attend(std::uint64_t next, bool runs);
    /// One wake for each sleep of the reader: whoever takes the bit away wakes it.
    void wake_reader();

    /// A segment for a record of `size` bytes, and, as the first so the others, about, for as many
    /// as items are left.
    void add_segment(std::uint64_t size, std::uint64_t items_left);

    ItemizedAttention& attention_;
    const bool is_strict_;                           // see advance()
    std::atomic<std::uint64_t>* progress_ = nullptr; // of the chunk
    TapeSegment* tail_ = nullptr;                    // that this worker writes to
    std::uint64_t used_ = 0;
    std::uint64_t room_ = 0;
    std::chrono::steady_clock::time_point begun_;
};

/// All that a helper does for a map that is done item by item.
template <class F, class Element, class Called, bool PlainInput, bool PlainOutput>
struct ItemCode {
    using Returned = typename Called::Returned;
    using Result = std::decay_t<Returned>;

    static void run(ItemFrame& frame) {
        const platform::UserCode mark;
        ReceivedFunction<F> received;
        while (frame.claim()) {
            std::uint64_t item = frame.begin();
            const std::uint64_t end = frame.end();
            for (bool goes_on = frame.advance(item, true); goes_on && item < end;) {
                try {
                    one(frame, received.get(frame), item);
                } catch (const platform::ThrowProbe&) {
                } catch (...) {
                    if (platform::is_thread_exit()) finish_child(0);
                    frame.fail(item); // the others are not concerned
                    goes_on = frame.go_on_after_failure(++item);
                    continue;
                }
                ++item;
                goes_on = frame.advance(item, item < end);
            }
            frame.commit();
        }
    }

private:
    static void one(ItemFrame& frame, F& function, std::uint64_t item) {
        MapElement<F, Element, Called, PlainInput>::apply(frame, function, item, [&](auto invoke) {
            if constexpr (std::is_void_v<Returned>) {
                invoke();
                frame.require_original();
            } else if constexpr (PlainOutput) {
                const Result result = invoke();
                frame.require_original();
                std::construct_at(frame.plain_output<Result>() + item, result);
            } else {
                const Result& result = invoke();
                frame.require_original();
                ResultContext returning;
                Writer writer{&returning};
                encode<Result>(writer, result);
                frame.keep(OutcomeKind::value, item, writer.view(), std::move(returning));
            }
        });
    }
};

template <class Frame>
void Worker::help_as(const TaskTicket& ticket) {
    Frame frame{*this, ticket.slot};
    try {
        target(view_.slot(ticket.slot).target).entry(&frame);
    } catch (const platform::ThrowProbe&) {
    } catch (...) {
        if (platform::is_thread_exit()) finish_child(0);
        frame.fail_rest();
    }
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/process_barrier.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ItemFrame::ItemFrame(Worker& worker, std::uint32_t slot)
    : HelperFrame(worker, slot),
      attention_(worker.view().space().at<ItemizedAttention>(job_.attention)),
      is_strict_(job_.halts && !(worker.view().shared().has_barrier && platform::join_process_barrier())) {}

MULTIPROCESSING_INLINE bool ItemFrame::claim() {
    if (!HelperFrame::claim()) return false;
    begun_ = std::chrono::steady_clock::now();
    tail_ = nullptr; // what an owner before has begun is not written to
    progress_ = &chunk().progress;
    worker_.context().enter_items(*progress_, 1, 0, job_.first_index, static_cast<int>(chunk().attempt),
                                  std::chrono::nanoseconds{job_.time_limit}, worker_.line().part);
    return true;
}

MULTIPROCESSING_INLINE void ItemFrame::show(std::uint64_t next, bool runs) noexcept {
    if (is_strict_) {
        progress_->store(ItemizedChunk::at(next, runs), std::memory_order_seq_cst);
    } else {
        progress_->store(ItemizedChunk::at(next, runs), std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst); // the compiler keeps them in order
    }
}

MULTIPROCESSING_INLINE bool ItemFrame::advance(std::uint64_t next, bool runs) {
    show(next, runs);
    // Sequentially consistent for the strict way; the load itself costs nothing more for it.
    if (attention_.wanted.load(std::memory_order_seq_cst) == 0) return true;
    return attend(next, runs);
}

MULTIPROCESSING_INLINE bool ItemFrame::go_on_after_failure(std::uint64_t next) {
    if (!advance(next, false)) return false;
    // Killed before: the parent finds the failure among the results. From then on no worker begins
    // an item of this map; those that are at one are ended by the supervisor, which looks here
    // every few milliseconds.
    if (job_.fails_fast) attention_.fail(job_.first_index + next - 1);
    return advance(next, next < end());
}

MULTIPROCESSING_INLINE void ItemFrame::keep(OutcomeKind kind, std::uint64_t item,
                                            std::span<const std::byte> message, ResultContext returning) {
    const bool in_block =
        message.size() > most_inline || !returning.blocks.empty() || !returning.objects.empty();
    const std::uint64_t size = TapeRecord::size_with(in_block ? 0 : message.size());
    if (!tail_ || used_ + size > room_) add_segment(size, end() - item);
    Parcel block;
    if (in_block) block = worker_.hand_over(message, std::move(returning));
    // Killed here: the parent finds the block in the line, told of nowhere, and frees it.
    TapeRecord& record = *new (&tail_->record(used_)) TapeRecord{
        item, static_cast<std::uint32_t>(in_block ? 0 : message.size()), kind, block};
    if (!in_block && !message.empty()) std::memcpy(&record + 1, message.data(), message.size());
    used_ += size;
    tail_->used.store(used_, std::memory_order_release);
    if (in_block) worker_.has_told();
}

MULTIPROCESSING_INLINE void ItemFrame::fail(std::uint64_t item) {
    require_original();
    job_.thrown.fetch_add(1, std::memory_order_relaxed);
    const std::vector<std::byte> message =
        bytes_of_failure(capture_current_exception(static_cast<std::size_t>(job_.first_index + item)));
    keep(OutcomeKind::exception, item, message, {});
}

MULTIPROCESSING_INLINE void ItemFrame::commit() {
    const std::uint64_t tasks = chunk().item() - begin();
    const auto took = std::chrono::steady_clock::now() - begun_;
    chunk().duration.store(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()),
                           std::memory_order_relaxed);
    worker_.commit(chunk_->cell, published_);
    // A reader that missed the last item sees the commit, or is seen here.
    if (attention_.wanted.load(std::memory_order_seq_cst) & ItemizedAttention::reader_sleeps) wake_reader();
    has_committed(tasks);
}

MULTIPROCESSING_INLINE void ItemFrame::fail_rest() {
    for (bool has_chunk = chunk_ || claim(); has_chunk; has_chunk = claim()) {
        for (std::uint64_t item = (std::max)(begin(), chunk().item()); item < end(); ++item) {
            fail(item);
            if (!advance(item + 1, false)) break;
        }
        commit();
    }
}

MULTIPROCESSING_INLINE bool ItemFrame::attend(std::uint64_t next, bool runs) {
    std::atomic<std::uint64_t>& ask = chunk().ask;
    for (;;) {
        show(next, false); // nobody is to be blamed for what follows
        const std::uint32_t wanted = attention_.wanted.load(std::memory_order_seq_cst);
        if (wanted & ItemizedAttention::reader_sleeps) wake_reader();
        if (wanted & ItemizedAttention::abandoned) return false;
        // Also behind the last item: a worker that went on to another chunk could be killed there.
        // It is taken back in a few microseconds, or this process is killed.
        for (unsigned looks = 0; ask.load(std::memory_order_seq_cst) == ask_to_halt; ++looks) {
            if (looks > 1000) std::this_thread::sleep_for(std::chrono::microseconds{100});
        }
        if (runs && ask.load(std::memory_order_relaxed) == ask_to_leave) worker_.leave();
        show(next, runs);
        if (ask.load(std::memory_order_seq_cst) != ask_to_halt) return true;
    }
}

MULTIPROCESSING_INLINE void ItemFrame::wake_reader() {
    const std::uint32_t before =
        attention_.wanted.fetch_and(~ItemizedAttention::reader_sleeps, std::memory_order_seq_cst);
    // Killed here: the reader looks by itself within a slice, and its supervisor wakes it.
    if (before & ItemizedAttention::reader_sleeps) post(worker_.view().space().parking(), attention_.place);
}

MULTIPROCESSING_INLINE void ItemFrame::add_segment(std::uint64_t size, std::uint64_t items_left) {
    TreeMember& self = tree();
    const std::uint64_t many = (std::min)(items_left, most_of_segment / size + 1);
    const std::uint64_t room = (std::max)(size, (std::min)(size * many, most_of_segment));
    Block block{self.heap.allocate(sizeof(TapeSegment) + room)};
    auto* const segment = new (&self.space.at<TapeSegment>(block.position())) TapeSegment{};
    std::atomic<Position>* link = tail_ ? &tail_->next : &chunk().tape;
    while (const Position next = link->load(std::memory_order_relaxed))
        link = &self.space.at<TapeSegment>(next).next;
    const Parcel parcel = worker_.hand_over(std::move(block), room, {});
    // Killed here: the parent's, told of nowhere, as above.
    link->store(parcel.block, std::memory_order_release);
    worker_.has_told();
    tail_ = segment;
    used_ = 0;
    room_ = room;
}

MULTIPROCESSING_INLINE void Worker::help(const TaskTicket& ticket, std::size_t level) {
    TaskSlot& slot = view_.slot(ticket.slot);
    std::atomic<std::uint64_t>& promise = line_.helping[level];
    line_.chunk.store(0, std::memory_order_relaxed);
    // The promise first, then the look, both sequentially consistent: either the parent, which
    // first recycles the slot and then looks for promises, waits for us, or we see that the map is
    // over.
    promise.store(map_name(ticket.slot, ticket.generation), std::memory_order_seq_cst);
    if (slot.cell.load() == ticket.published()) {
        MapJob& job = view_.job(slot);
        if (takes_up(job)) job.attention ? help_as<ItemFrame>(ticket) : help_as<MapFrame>(ticket);
    }
    line_.chunk.store(0, std::memory_order_relaxed);
    promise.store(0, std::memory_order_release);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
