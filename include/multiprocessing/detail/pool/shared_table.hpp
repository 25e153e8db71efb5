#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_table.hpp  What a pool and its workers share: slots of tasks, chunks of maps, a
/// line per worker.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/pool/task_cell.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

// All of it lies in blocks of the parent's heap, all zero is a valid beginning, and nothing in it
// is ever locked: what is not atomic is written by one side before a task's cell hands it over to
// the other.

/// Bytes in the Space; none if `block` is 0.
struct Parcel {
    Position block = 0;
    std::uint64_t bytes = 0;
};

/// A thunk, its image by its place in the pool's list: shorter than a ThunkAddress, and looked up
/// once per worker.
struct TaskTarget {
    std::uint32_t image = 0;
    std::uint64_t offset = 0;
    std::uint64_t fingerprint = 0;
};

/// What came of a task, or of a chunk.
enum class Outcome : std::uint32_t { value, exception };

/// A single task, or the head of a map.
struct alignas(64) TaskSlot {
    static constexpr std::size_t inline_bytes = 64;

    TaskCell cell;
    ParkingPlace place; ///< Where its waiters wait.
    Outcome outcome;
    TaskTarget target;
    Parcel arguments; ///< In `small_arguments` if there is no block. Of a map: its MapJob.
    Parcel leases;    ///< Of LeaseEntry, for shared objects among the arguments.
    Parcel result;    ///< In `small_result` if there is no block; else a block of the worker's, handed over.
    std::atomic<std::uint32_t>
        dropped; ///< Nobody waits for it: the worker that ends it says so in SlotSegment.
    std::byte small_arguments[inline_bytes];
    std::byte small_result[inline_bytes];
};
static_assert(sizeof(TaskSlot) == 256);

/// Slots, and which of them were dropped and have ended: a hint, set by the worker that ended one,
/// for the parent, which is to free it. (Nothing links slots to each other: a worker that was
/// stopped for long can set a bit too many, no more.)
struct SlotSegment {
    static constexpr std::uint32_t count = 1024;
    static constexpr std::uint32_t words = count / 64;

    TaskSlot slot[count];
    std::atomic<std::uint64_t> ended[words];
};

/// A range of a map's input, claimed by the same protocol as a task.
struct alignas(64) MapChunk {
    TaskCell cell;
    std::atomic<std::uint64_t> begin; ///< First item; moves on if a worker died with it.
    std::uint64_t end;
    Parcel result;  ///< Results as an archive, in a block of the worker's; unused for plain ones.
    Parcel failure; ///< The exception of the first item that threw one.
    /// Which that is; `no_item` if none. Written behind `failure` when it happens: it outlives its
    /// worker.
    std::atomic<std::uint64_t> failed_item;
};
inline constexpr std::uint64_t no_item = ~std::uint64_t{0};
static_assert(sizeof(MapChunk) == 64 || sizeof(MapChunk) == 128);

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
    Position chunks;        ///< Of MapChunk.
    std::uint64_t chunk_count;
    alignas(64) std::atomic<std::uint64_t> cursor; ///< A hint: chunks before it are not ready.
    alignas(
        64) std::atomic<std::uint64_t> unfinished; ///< A hint: the worker that takes it to 0 wakes the caller.
    std::atomic<std::uint32_t> wake_always;        ///< A worker has died, perhaps before it could count.
};

/// What a worker is doing, for its parent to read after its death. Written by the worker alone,
/// plain stores, one processor cache line: the parent reads it when the process is gone, or for
/// progress, when any mixture will do.
struct alignas(64) WorkerLine {
    enum State : std::uint32_t { starting, serving, retired, broken };
    /// Set in `item` if it stands for the first of 64: items so quick that a note for each would
    /// cost more than they do.
    static constexpr std::uint64_t block_of_items = std::uint64_t{1} << 63;
    static constexpr std::uint64_t block_size = 64;

    ParkingPlace park; ///< Where the worker sleeps.
    std::atomic<std::uint32_t> state;
    /// The slot, plus 1, of the announcement that it is about to see to, or did last. Written
    /// before it takes the task or moves the announcement out of the way: killed at any instant,
    /// the parent knows which one to look at.
    std::atomic<std::uint64_t> claiming;
    /// A promise not to let go: while a map's slot and generation stand here, its memory is not
    /// freed.
    std::atomic<std::uint64_t> helping;
    std::atomic<std::uint64_t> chunk;   ///< Of that map, plus 1. Or 0.
    std::atomic<std::uint64_t> item;    ///< The item it is at.
    std::atomic<std::uint64_t> task;    ///< The slot of the task it runs, plus 1. Or 0.
    std::atomic<std::uint64_t> left;    ///< A map that it has left as it retires, as in `helping`. Or 0.
    std::atomic<Position> handing_over; ///< A block that is about to be told of in a task or chunk. Or 0.
    Parcel failure;                     ///< Of its initializer, when broken.
};

/// Where a worker was when it crashed, as text; see platform/crash.hpp. Empty unless it did.
struct CrashRecord {
    char text[4096];
};

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
    Position ring;
    Position lines;   ///< Of WorkerLine.
    Position crashes; ///< Of CrashRecord.
    Position idle;    ///< Of std::atomic<std::uint64_t>: a bit per worker that is about to sleep, or sleeps.
    std::atomic<std::uint32_t> images;
    PoolImage image[most_images];
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
    TaskRing& ring() const noexcept { return space_.at<TaskRing>(shared_.ring); }
    WorkerLine& line(std::uint32_t worker) const noexcept {
        return space_.at<WorkerLine>(shared_.lines + worker * sizeof(WorkerLine));
    }
    CrashRecord& crash(std::uint32_t worker) const noexcept {
        return space_.at<CrashRecord>(shared_.crashes + worker * sizeof(CrashRecord));
    }
    TaskSlot& slot(std::uint32_t index) const noexcept {
        const Position segment =
            shared_.segment[index / PoolShared::segment_slots].load(std::memory_order_acquire);
        return space_.at<TaskSlot>(segment + index % PoolShared::segment_slots * sizeof(TaskSlot));
    }
    SlotSegment& segment(std::size_t index) const noexcept {
        return space_.at<SlotSegment>(shared_.segment[index].load(std::memory_order_acquire));
    }

    /// By the worker that has ended what is in that slot. Sequentially consistent: either this sees
    /// that it was dropped, or whoever drops it sees that it has ended. Killed before: the parent
    /// looks at what the dead one was at.
    void tell_if_dropped(std::uint32_t index) const noexcept {
        if (slot(index).dropped.load(std::memory_order_seq_cst) == 0) return;
        tell_of(index);
    }
    void tell_of(std::uint32_t index) const noexcept {
        const std::uint32_t segment_index = index / SlotSegment::count;
        const std::uint32_t at = index % SlotSegment::count;
        segment(segment_index).ended[at / 64].fetch_or(std::uint64_t{1} << at % 64, std::memory_order_seq_cst);
        shared_.ended[segment_index / 64].fetch_or(std::uint64_t{1} << segment_index % 64,
                                                   std::memory_order_seq_cst);
    }

    MapJob& job(const TaskSlot& slot) const noexcept { return space_.at<MapJob>(slot.arguments.block); }
    MapChunk& chunk(const MapJob& job, std::uint64_t index) const noexcept {
        return space_.at<MapChunk>(job.chunks + index * sizeof(MapChunk));
    }
    std::atomic<std::uint64_t>& idle_bits(std::uint32_t worker) const noexcept {
        return space_.at<std::atomic<std::uint64_t>>(shared_.idle + worker / 64 * 8);
    }
    const std::byte* bytes(Position position) const noexcept { return &space_.at<const std::byte>(position); }

private:
    Space& space_;
    PoolShared& shared_;
};

} // namespace multiprocessing::inline v1::detail
