#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file chunked_work.hpp  A map that is done chunk by chunk, in its parent.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/pool/map_work.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/work.hpp>
#include <multiprocessing/reduction.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>

namespace multiprocessing::inline v1::detail {

/// A map that is done chunk by chunk: the quickest way, where a result counts with its chunk.
class ChunkedMapWork final : public MapWork {
public:
    using Chunk = MapChunk;

    ChunkedMapWork(PoolView view, std::uint64_t items) : MapWork(view, items) {}
    MULTIPROCESSING_INLINE ~ChunkedMapWork() override;

    MapChunk& chunk(std::uint64_t index) const noexcept { return view_.chunk<MapChunk>(*job_, index); }

    MULTIPROCESSING_INLINE std::uint64_t items_done() const override;

    MULTIPROCESSING_INLINE bool refers_to(Position block) const override;

    MULTIPROCESSING_INLINE void discard(const std::exception_ptr& expected) noexcept override;

    /// What is first in the order of the input, whether thrown or lost; null if all went well.
    /// After its end.
    std::exception_ptr first_error() const;

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

protected:
    /// If it died with an item, or with a block of quick ones, those are lost, and not run again,
    /// as nobody knows how far they had come. What comes after them is not concerned.
    MULTIPROCESSING_INLINE void take_back(std::uint64_t index, const WorkerDeath& death,
                                          Announcements& again) override;
    std::uint64_t item_at(const WorkerLine& line, std::uint64_t) const override {
        return line.item.load(std::memory_order_relaxed) & ~WorkerLine::block_of_items;
    }

private:
    void free_outcomes();
    static void free_failure(const MapChunk& chunk);

    std::atomic<std::uint64_t> items_dead_{0};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ChunkedMapWork::~ChunkedMapWork() {
    // No worker looks at it any more. What one had told of a chunk that was lost afterwards is
    // nobody's.
    if (!job_ || !origin_.is_here()) return;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        if (chunk(i).cell.load().state != TaskState::done) free_failure(chunk(i));
    }
}

MULTIPROCESSING_INLINE std::uint64_t ChunkedMapWork::items_done() const {
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        if (is_over(chunk(i).cell.load())) done += chunk(i).end - begin_of(chunk(i));
    }
    for (std::uint32_t worker = 0; worker < view_.shared().line_count; ++worker) {
        const WorkerLine& line = view_.line(worker);
        const std::uint64_t index = line.chunk.load(std::memory_order_relaxed);
        const std::uint64_t item = line.item.load(std::memory_order_relaxed) & ~WorkerLine::block_of_items;
        if (!line.is_helping(map_name(slot, generation)) || index == 0 ||
            index > job_->chunk_count) // it may be at another map by now
            continue;
        const MapChunk& at = chunk(index - 1);
        const std::uint64_t begin = begin_of(at);
        if (!is_over(at.cell.load()) && item > begin && item <= at.end) done += item - begin;
    }
    return (std::min)(done + items_dead_, items_);
}

MULTIPROCESSING_INLINE bool ChunkedMapWork::refers_to(Position block) const {
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        const MapChunk& at = chunk(i);
        // A failure is told of when it happens, results when the chunk is done.
        if (at.failed_item.load(std::memory_order_acquire) != no_item && at.failure.block == block) return true;
        if (at.cell.load().state == TaskState::done && at.result.block == block) return true;
    }
    return false;
}

MULTIPROCESSING_INLINE void ChunkedMapWork::discard(const std::exception_ptr& expected) noexcept {
    if (std::exchange(read_, true)) return;
    log_unread_error([&] {
        std::exception_ptr error = first_error();
        return error == expected ? nullptr : error;
    });
    free_outcomes();
}

MULTIPROCESSING_INLINE std::exception_ptr ChunkedMapWork::first_error() const {
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

MULTIPROCESSING_INLINE void ChunkedMapWork::take_back(std::uint64_t index, const WorkerDeath& death,
                                                      Announcements&) {
    MapChunk& at = chunk(index);
    const std::uint64_t begin = begin_of(at);
    std::uint64_t rest = begin;
    if (death.chunk == index + 1 && at.cell.load().state != TaskState::doom) {
        rest = std::clamp(death.item + death.items, begin, at.end);
        const std::uint64_t failed = at.failed_item.load(std::memory_order_acquire);
        if (failed >= death.item && failed < rest) {
            rest = failed + 1; // it threw, as it could still say, and had not gone on to the next
        } else if (death.item < rest) {
            losses_.emplace(death.item,
                            death.error({EndReason::lost, death.item, rest - death.item, 0, {}, 0}));
            items_lost_.fetch_add(rest - death.item, std::memory_order_relaxed);
        }
        items_dead_ += rest - begin;
    }
    publish_rest(index, rest);
}

MULTIPROCESSING_INLINE void ChunkedMapWork::free_outcomes() {
    for (std::uint64_t i = 0; i < job_->chunk_count; ++i) {
        if (chunk(i).cell.load().state != TaskState::done) continue;
        free_outcome(chunk(i).result);
        free_failure(chunk(i));
    }
}

MULTIPROCESSING_INLINE void ChunkedMapWork::free_failure(const MapChunk& chunk) {
    if (chunk.failed_item.load(std::memory_order_acquire) != no_item) free_outcome(chunk.failure);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
