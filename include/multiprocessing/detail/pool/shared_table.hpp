#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_table.hpp  What a pool and its workers share: slots of tasks, chunks of maps, a
/// line per worker.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/pool/parcel.hpp>
#include <multiprocessing/detail/pool/task_cell.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/pool/worker_line.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

// All of it lies in blocks of the parent's heap, all zero is a valid beginning, and nothing in it
// is ever locked: what is not atomic is written by one side before a task's cell hands it over to
// the other.

/// A thunk, its image by its place in the pool's list: shorter than a ThunkAddress, and looked up
/// once per worker.
struct TaskTarget {
    std::uint32_t image = 0;
    std::uint64_t offset = 0;
    std::uint64_t fingerprint = 0;
};

/// What came of a task, or of an item.
enum class OutcomeKind : std::uint32_t { value, exception };

/// What the worker that ends a task or map has to say beyond its wake for the waiters. Bits of
/// TaskSlot::end_flags.
enum EndFlag : std::uint32_t {
    end_is_dropped = 1, ///< Nobody waits for it: the parent frees it.
    end_is_watched = 2, ///< A callback waits for it.
};

/// A single task, or the head of a map.
struct alignas(64) TaskSlot {
    static constexpr std::size_t inline_bytes = 64;

    TaskCell cell;
    ParkingPlace place; ///< Where its waiters wait.
    OutcomeKind outcome;
    TaskTarget target;
    Parcel arguments; ///< In `small_arguments` if there is no block. Of a map: its MapJob.
    Parcel leases;    ///< Of LeaseEntry, for shared objects among the arguments.
    Parcel result;    ///< In `small_result` if there is no block; else a block of the worker's, handed over.
    std::atomic<std::uint32_t> end_flags; ///< Of EndFlag: then the end is noted in SlotSegment as well.
    std::atomic<std::uint32_t> attempt;   ///< From 1 on.
    std::uint64_t time_limit;             ///< Nanoseconds; 0: none.
    std::byte small_arguments[inline_bytes];
    std::byte small_result[inline_bytes];
};
static_assert(sizeof(TaskSlot) == 256);

/// Slots, and which of them have ended that had a flag for it: a hint, set by the worker that ended
/// one, for the parent, which is to free it or to call back. (Nothing links slots to each other: a
/// worker that was stopped for long can set a bit too many, no more.)
struct SlotSegment {
    static constexpr std::uint32_t count = 1024;
    static constexpr std::uint32_t words = count / 64;

    TaskSlot slot[count];
    std::atomic<std::uint64_t> ended[words];
};

/// A range of a map's input, claimed by the same protocol as a task: what all kinds of chunk begin
/// with.
struct ChunkHead {
    TaskCell cell;
    std::atomic<std::uint64_t> begin; ///< First item that is to be done; moves on if a worker died with it.
    std::uint64_t end;
};

/// Of a map that is done chunk by chunk: the results of a chunk count together.
struct alignas(64) MapChunk : ChunkHead {
    Parcel result;  ///< Results as an archive, in a block of the worker's; unused for plain ones.
    Parcel failure; ///< The exception of the first item that threw one.
    /// Which that is; `no_item` if none. Written behind `failure` when it happens: it outlives its
    /// worker.
    std::atomic<std::uint64_t> failed_item;
};
inline constexpr std::uint64_t no_item = ~std::uint64_t{0};
static_assert(sizeof(MapChunk) == 64 || sizeof(MapChunk) == 128);

/// Of a map that is done item by item: each result counts when its item has ended. The first line
/// is written by the parent and by claims, the second by the worker that has the chunk.
struct alignas(64) ItemizedChunk : ChunkHead {
    std::uint64_t first; ///< Of all its items, also those that are done.
    /// Of ChunkAsk, or 0. Set and taken back by the parent, together with ItemizedAttention::asked.
    std::atomic<std::uint64_t> ask;
    std::uint32_t attempt; ///< Of its first item, from 1 on.

    /// The item, and whether it runs: all items before it have ended. Released behind their
    /// results. A process that reads it may read those.
    alignas(64) std::atomic<std::uint64_t> progress;
    std::atomic<Position> tape;          ///< The first TapeSegment of its results; 0 if there are none.
    std::atomic<std::uint64_t> duration; ///< Nanoseconds that its last owner took.

    static constexpr std::uint64_t at(std::uint64_t item, bool runs) noexcept {
        return item << 1 | (runs ? 1 : 0);
    }
    std::uint64_t item() const noexcept { return progress.load(std::memory_order_acquire) >> 1; }
};
static_assert(sizeof(ItemizedChunk) == 128);

/// What the worker that has a chunk is asked for; see ItemizedChunk::ask.
enum ChunkAsk : std::uint64_t {
    ask_to_halt = 1, ///< It begins no further item until this is taken back, or it is killed.
    ask_to_leave = 2 ///< It leaves between two items, and the rest goes to others.
};

/// What a worker is asked for between two items of an itemized map.
struct alignas(64) ItemizedAttention {
    static constexpr std::uint32_t reader_sleeps = 1; ///< To be woken when the next item has ended.
    static constexpr std::uint32_t abandoned = 2;     ///< Nobody wants the rest.
    static constexpr std::uint32_t asked = 4;         ///< Times the number of chunks with an `ask`.

    std::atomic<std::uint32_t> wanted; ///< Of these bits, and that number.
    ParkingPlace place;                ///< Where the reader sleeps.
    /// The index of the first item in time that failed, plus 1, where that ends the map.
    std::atomic<std::uint64_t> failed;

    /// That ends the map.
    void fail(std::uint64_t index) noexcept {
        std::uint64_t none = 0;
        failed.compare_exchange_strong(none, index + 1, std::memory_order_acq_rel);
        wanted.fetch_or(abandoned, std::memory_order_seq_cst);
    }
    bool has_failed() const noexcept { return failed.load(std::memory_order_acquire) != 0; }
};

/// Where an element of an archived input lies, and how many shared objects come before its own.
struct MapItem {
    std::uint64_t offset;
    std::uint64_t first_lease;
};

/// A map: one function, applied to every item by the workers that help.
struct MapJob {
    Parcel callable;        ///< The function.
    Parcel callable_leases; ///< Of LeaseEntry.
    Parcel input;           ///< Plain elements, or an archive.
    Parcel items;           ///< Of MapItem, one more than items; none for plain elements.
    Parcel input_leases;    ///< Of LeaseEntry, for all elements.
    Parcel output;          ///< Room for plain results; none for others.
    Position chunks;        ///< Of MapChunk or ItemizedChunk.
    std::uint64_t chunk_count;
    std::uint64_t spare_count;           ///< Behind them, of one item each, for further attempts; else free.
    std::uint64_t chunk_bytes;           ///< Of one of them.
    Position attention;                  ///< Of ItemizedAttention; 0 if the map is done by chunks.
    std::uint64_t first_index;           ///< Of its first item, in the input that it is a part of.
    std::uint64_t time_limit;            ///< Of each item, in nanoseconds; 0: none.
    std::uint32_t level;                 ///< See WorkerLine::helping.
    std::uint32_t halts;                 ///< Whether ask_to_halt may come.
    std::uint32_t fails_fast;            ///< Whether ItemizedAttention::failed is wanted.
    std::atomic<std::uint32_t> taken_up; ///< Of TakenUp.
    alignas(64) std::atomic<std::uint64_t> cursor; ///< A hint: chunks before it are not ready.
    alignas(
        64) std::atomic<std::uint64_t> unfinished; ///< A hint: the worker that takes it to 0 wakes the caller.
    std::atomic<std::uint32_t> wake_always;        ///< A worker has died, perhaps before it could count.
    std::atomic<std::uint64_t> thrown;             ///< How many items threw; a hint.

    std::uint64_t all_chunks() const noexcept { return chunk_count + spare_count; }
};

/// Who came first: a worker, or a thread that cancels the map.
enum TakenUp : std::uint32_t { map_is_fresh, map_is_begun, map_is_cancelled };

/// An image that tasks come from.
struct PoolImage {
    platform::ImageId id;
    char file[96];
};

/// The head of it all.
struct PoolShared {
    static constexpr std::size_t most_images = 32;
    static constexpr std::size_t most_segments = 4096;
    static constexpr std::uint32_t segment_slots = SlotSegment::count;

    std::atomic<std::uint32_t> closing; ///< Workers end when there is nothing left to do.
    std::uint32_t workers;
    /// Of workers, and of those that are about to take over from one.
    std::uint32_t line_count;
    /// Which lines are taken, where tasks run in the caller: each thread, and each task inside of a
    /// task, has one.
    std::atomic<std::uint64_t> lines_here;
    /// The parent can have every worker see all of its writes (platform/process_barrier.hpp).
    std::uint32_t has_barrier;
    /// Of TaskRing, by level; 0 while nothing of that level was announced.
    std::atomic<Position> rings[priority_levels];
    Position lines;   ///< Of WorkerLine.
    Position crashes; ///< Of CrashRecord.
    Position idle;    ///< Of std::atomic<std::uint64_t>: a bit per worker that is about to sleep, or sleeps.
    std::atomic<std::uint32_t> images;
    PoolImage image[most_images];
    std::atomic<std::uint32_t> watched_ends;              ///< Counts ends that a callback waits for.
    ParkingPlace callbacks;                               ///< Where the thread sleeps that calls back.
    ParkingPlace callbacks_ended;                         ///< Where others wait for its end.
    ParkingPlace supervisor_ended;                        ///< The same for the supervisor.
    std::atomic<Position> segment[most_segments];         ///< Of SlotSegment.
    std::atomic<std::uint64_t> ended[most_segments / 64]; ///< In which of them a bit of `ended` was set.
};

static_assert(std::is_trivially_destructible_v<PoolShared> && std::is_trivially_destructible_v<TaskSlot>);

/// Names a map while its slot is not used for another one.
constexpr std::uint64_t map_name(std::uint32_t slot, std::uint16_t generation) noexcept {
    return std::uint64_t{slot} << 16 | generation | std::uint64_t{1} << 63;
}
constexpr std::uint64_t slot_of_map(std::uint64_t name) noexcept {
    return (name & ~(std::uint64_t{1} << 63)) >> 16;
}

/// The shared side of a pool, as seen from this process.
class PoolView {
public:
    PoolView(Space& space, Position position) : space_(space), shared_(space.at<PoolShared>(position)) {}

    Space& space() const noexcept { return space_; }
    PoolShared& shared() const noexcept { return shared_; }
    /// The announcements of a level; null if there were none yet.
    TaskRing* ring(std::size_t level) const noexcept {
        const Position position = shared_.rings[level].load(std::memory_order_acquire);
        return position ? &space_.at<TaskRing>(position) : nullptr;
    }
    /// Whether something is announced, of a level above `level` - 1.
    bool has_announced(std::size_t level = 0) const noexcept;
    WorkerLine& line(std::uint32_t worker) const noexcept;
    CrashRecord& crash(std::uint32_t worker) const noexcept;
    TaskSlot& slot(std::uint32_t index) const noexcept;
    SlotSegment& segment(std::size_t index) const noexcept;

    /// The worker of that line has the place that it waited for.
    void let_in(std::uint32_t worker) const noexcept;
    /// Waits for the place of another worker, if this one is to. False if the pool ends before.
    bool wait_for_place(WorkerLine& mine) const;
    /// This worker takes nothing more: the one that waits for its place does.
    void pass_place_on(const WorkerLine& mine) const noexcept;
    /// By the worker that has ended what is in that slot. Sequentially consistent: either this sees
    /// the flag, or whoever sets it sees that it has ended. Killed before, or in between: the
    /// parent looks at what the dead one was at.
    void tell_if_wanted(std::uint32_t index) const noexcept;
    void call_back() const noexcept;
    void tell_of(std::uint32_t index) const noexcept;

    MapJob& job(const TaskSlot& slot) const noexcept { return space_.at<MapJob>(slot.arguments.block); }
    template <class Chunk = ChunkHead>
    Chunk& chunk(const MapJob& job, std::uint64_t index) const noexcept {
        return space_.at<Chunk>(job.chunks + index * job.chunk_bytes);
    }
    std::atomic<std::uint64_t>& idle_bits(std::uint32_t worker) const noexcept;
    const std::byte* bytes(Position position) const noexcept;

private:
    Space& space_;
    PoolShared& shared_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool PoolView::has_announced(std::size_t level) const noexcept {
    for (; level < priority_levels; ++level) {
        if (const TaskRing* const announced = ring(level); announced && !announced->empty()) return true;
    }
    return false;
}

MULTIPROCESSING_INLINE WorkerLine& PoolView::line(std::uint32_t worker) const noexcept {
    return space_.at<WorkerLine>(shared_.lines + worker * sizeof(WorkerLine));
}

MULTIPROCESSING_INLINE void PoolView::let_in(std::uint32_t worker) const noexcept {
    line(worker).is_held.store(0, std::memory_order_release);
    post(space_.parking(), line(worker).park);
}

MULTIPROCESSING_INLINE bool PoolView::wait_for_place(WorkerLine& mine) const {
    const auto is_held = [&] { return mine.is_held.load(std::memory_order_acquire) != 0; };
    if (!is_held()) return true;
    wait(space_.parking(), mine.park, Deadline{},
         [&] { return !is_held() || shared_.closing.load(std::memory_order_seq_cst); });
    return !is_held();
}

MULTIPROCESSING_INLINE void PoolView::pass_place_on(const WorkerLine& mine) const noexcept {
    // Killed before: the parent lets it in when it buries this one. The end of a process with much
    // memory may take long, and is not waited for.
    if (const std::uint32_t successor = mine.successor.load(std::memory_order_acquire)) let_in(successor - 1);
}

MULTIPROCESSING_INLINE CrashRecord& PoolView::crash(std::uint32_t worker) const noexcept {
    return space_.at<CrashRecord>(shared_.crashes + worker * sizeof(CrashRecord));
}

MULTIPROCESSING_INLINE TaskSlot& PoolView::slot(std::uint32_t index) const noexcept {
    const Position segment = shared_.segment[index / PoolShared::segment_slots].load(std::memory_order_acquire);
    return space_.at<TaskSlot>(segment + index % PoolShared::segment_slots * sizeof(TaskSlot));
}

MULTIPROCESSING_INLINE SlotSegment& PoolView::segment(std::size_t index) const noexcept {
    return space_.at<SlotSegment>(shared_.segment[index].load(std::memory_order_acquire));
}

MULTIPROCESSING_INLINE void PoolView::tell_if_wanted(std::uint32_t index) const noexcept {
    const std::uint32_t flags = slot(index).end_flags.load(std::memory_order_seq_cst);
    if (flags == 0) return;
    tell_of(index);
    if (flags & end_is_watched) call_back();
}

MULTIPROCESSING_INLINE void PoolView::call_back() const noexcept {
    shared_.watched_ends.fetch_add(1, std::memory_order_seq_cst);
    post(space_.parking(), shared_.callbacks);
}

MULTIPROCESSING_INLINE void PoolView::tell_of(std::uint32_t index) const noexcept {
    const std::uint32_t segment_index = index / SlotSegment::count;
    const std::uint32_t at = index % SlotSegment::count;
    segment(segment_index).ended[at / 64].fetch_or(std::uint64_t{1} << at % 64, std::memory_order_seq_cst);
    shared_.ended[segment_index / 64].fetch_or(std::uint64_t{1} << segment_index % 64,
                                               std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE std::atomic<std::uint64_t>& PoolView::idle_bits(std::uint32_t worker) const noexcept {
    return space_.at<std::atomic<std::uint64_t>>(shared_.idle + worker / 64 * 8);
}

MULTIPROCESSING_INLINE const std::byte* PoolView::bytes(Position position) const noexcept {
    return &space_.at<const std::byte>(position);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
