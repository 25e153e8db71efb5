#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file imap_state.hpp  A map whose results are taken one by one: its input is read as they are, a
/// bounded number of items ahead.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/itemized_result.hpp>
#include <multiprocessing/detail/pool/itemized_work.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/tape.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// How an imap gives its results, and how far it reads ahead of them.
struct ImapPlan {
    bool ordered = true;
    std::uint64_t chunksize = 0;  ///< 0: grows while chunks are quick.
    std::uint64_t buffersize = 0; ///< Items without a taken result; 0: 2 x workers chunks.
    bool reads_all = false;       ///< All of the input is submitted at once.
};

/// The part of an imap that does not depend on its input. Results are R, `std::monostate` for void.
template <class R>
class ImapState : public ResultStream<R> {
public:
    using typename ResultStream<R>::Value;
    using ResultStream<R>::is_plain;

    ~ImapState() override {
        if (origin_.is_here()) abandon();
    }

    /// Reads ahead as far as may be.
    void fill() {
        origin_.require_here("this iterator", "make one here");
        if (policy_.fail_fast && attention_->attention().has_failed()) exhausted_ = true;
        while (!exhausted_ && has_room()) {
            if (!submit_chunk()) break;
        }
        if (exhausted_) leave_stream();
    }

    double under_way() const override {
        double all = 0;
        for (const Chunk& chunk : chunks_) all += chunk.work->under_way();
        return all;
    }

    void abandon() noexcept override {
        exhausted_ = true;
        input_error_ = nullptr;
        leave_stream();
        if (chunks_.empty()) return;
        attention_->attention().wanted.fetch_or(ItemizedAttention::abandoned, std::memory_order_seq_cst);
        for (Chunk& chunk : chunks_) table_->abandon(chunk.work);
        chunks_.clear();
    }
    void leave_running() noexcept override {
        exhausted_ = true;
        leave_stream();
        for (Chunk& chunk : chunks_) table_->release(chunk.work);
        chunks_.clear();
    }

protected:
    /// A piece of the input that was submitted as a map of one chunk.
    struct Chunk {
        std::shared_ptr<ItemizedMapWork> work;
        TapeReader tape;
        const std::byte* results; ///< Where plain results lie.
        std::uint64_t items;
        std::uint64_t next = 0; ///< The item whose result is taken next.
        bool full = true;       ///< As many items as were wanted.
    };

    ImapState(std::shared_ptr<PoolTable> table, ImapPlan plan, std::uint64_t most_items,
              const TaskPolicy& policy)
        : table_(std::move(table)), plan_(plan), most_items_(most_items), policy_(policy) {
        if (plan_.chunksize) chunk_items_ = plan_.chunksize;
        table_->enter_stream();
    }

    /// Submits the next piece of at most `items`; nullopt if the input has no more. Throws what the
    /// input throws, after it has submitted what came before.
    virtual std::optional<Chunk> submit(std::uint64_t items, std::uint64_t first_index) = 0;

    /// Whether what has been read should not wait for more.
    bool should_send(std::uint64_t read) const { return read > 0 && table_->demand().has_idle(); }
    const std::shared_ptr<AttentionBlock>& attention() const noexcept { return attention_; }
    const TaskPolicy& policy() const noexcept { return policy_; }

    bool is_streaming_ = true;       // see Admission::enter_stream()
    std::exception_ptr input_error_; // of the input, or of the pool that takes no more
    bool exhausted_ = false;

private:
    static constexpr std::uint64_t most_adaptive = std::uint64_t{1} << 16;

    std::uint64_t room() const noexcept {
        if (plan_.reads_all) return (std::numeric_limits<std::uint64_t>::max)();
        if (plan_.buffersize == 0) return chunk_items_; // chunks are counted, not items
        return plan_.buffersize - pending_;
    }
    bool has_room() const noexcept {
        if (plan_.reads_all) return true;
        if (plan_.buffersize != 0) return pending_ < plan_.buffersize;
        return chunks_.size() < 2 * std::size_t{table_->workers()};
    }

    bool submit_chunk() {
        std::uint64_t items = (std::min)(chunk_items_, room());
        if (plan_.buffersize != 0 && plan_.chunksize == 0) // so that each worker has some
            items = (std::min)(items, (std::max)(std::uint64_t{1}, plan_.buffersize / (2 * table_->workers())));
        if (most_items_) items = (std::min)(items, most_items_);
        try {
            std::optional<Chunk> chunk = submit(items, submitted_);
            if (!chunk) {
                exhausted_ = true;
                return false;
            }
            submitted_ += chunk->items;
            pending_ += chunk->items;
            chunks_.push_back(std::move(*chunk));
            return !exhausted_;
        } catch (...) { // the pool was closed, or there is no memory: what runs goes on
            input_error_ = std::current_exception();
            exhausted_ = true;
            return false;
        }
    }

    bool is_ready(const Chunk& chunk) const {
        const ItemizedChunk& at = chunk.work->chunk(0);
        if (chunk.next < at.item())
            return !chunk.work->has_losses() || table_->is_decided(*chunk.work, chunk.next);
        return chunk.work->ended();
    }
    bool any_ready() const {
        if (chunks_.empty()) return true;
        if (plan_.ordered) return is_ready(chunks_.front());
        return find_ready() != chunks_.size();
    }
    /// Chunks begin in order, but for those whose worker died: behind a few that were not begun
    /// nothing has ended.
    std::size_t find_ready() const {
        std::size_t not_begun = 0;
        for (std::size_t i = 0; i < chunks_.size(); ++i) {
            if (is_ready(chunks_[i])) return i;
            if (chunks_[i].work->head(0).cell.load().state == TaskState::ready &&
                ++not_begun > table_->workers())
                break;
        }
        return chunks_.size();
    }

    void leave_stream() noexcept {
        if (std::exchange(is_streaming_, false)) table_->leave_stream();
    }

    /// The results of a run were taken.
    void settle_run() {
        if (run_items_ == 0) return;
        Chunk& chunk = chunks_[run_index_];
        pending_ -= run_items_;
        chunk.next += std::exchange(run_items_, 0);
        if (chunk.next == chunk.items) finish(run_index_);
    }

    bool has_more() override {
        settle_run();
        fill();
        return !chunks_.empty() || input_error_;
    }

    bool wait_for_next(const Deadline& deadline) override {
        settle_run();
        if (take_ready()) return true;
        if (chunks_.empty()) { // what the input threw comes behind all results
            this->take([this]() -> Value { std::rethrow_exception(std::exchange(input_error_, nullptr)); });
            return true;
        }
        ItemizedAttention& attention = attention_->attention();
        const platform::Parking& parking = table_->view().space().parking();
        for (;;) {
            const bool ready = detail::wait(
                parking, attention.place, deadline, [&] { return any_ready(); },
                // Either a worker that ends an item sees this, or its item is seen by the last look
                // before the sleep; see ItemFrame::advance() for what may be missed.
                [&] {
                    attention.wanted.fetch_or(ItemizedAttention::reader_sleeps, std::memory_order_seq_cst);
                });
            if (!ready) return false;
            if (take_ready()) return true;
        }
    }

    bool take_ready() {
        const std::size_t index = plan_.ordered ? 0 : find_ready();
        if (index >= chunks_.size() || !is_ready(chunks_[index])) return false;
        Chunk& chunk = chunks_[index];
        if constexpr (is_plain) {
            const std::uint64_t ended = chunk.work->plain_until(0);
            if (ended > chunk.next) {
                run_index_ = index;
                run_items_ = ended - chunk.next;
                const auto* const first = reinterpret_cast<const Value*>(chunk.results) + chunk.next;
                this->set_run(first, first + run_items_);
                return this->take_from_run();
            }
        }
        const ItemOutcome outcome =
            chunk.work->outcome_of(0, chunk.next, chunk.tape, [&](std::uint64_t item, bool item_ended) {
                return table_->parents_outcome_of(*chunk.work, item, item_ended);
            });
        if (outcome.kind == ItemOutcome::none) return false;
        this->take([&]() -> Value {
            Outcome<R> read = read_item<R>(outcome, chunk.results, chunk.next);
            if (!read) std::rethrow_exception(read.error());
            if constexpr (std::is_void_v<R>) {
                return {};
            } else {
                return *std::move(read);
            }
        });
        --pending_;
        if (++chunk.next == chunk.items) finish(index);
        return true;
    }

    /// All of a chunk was taken.
    void finish(std::size_t index) {
        Chunk& chunk = chunks_[index];
        // Its worker may not have committed yet: then this is a guess, and not needed.
        const std::uint64_t took = chunk.work->chunk(0).duration.load(std::memory_order_relaxed);
        if (plan_.chunksize == 0 && chunk.full && took != 0 && took < 1'000'000 && chunk.items >= chunk_items_)
            chunk_items_ = (std::min)(2 * chunk_items_, most_adaptive);
        table_->finish_reading(chunk.work);
        chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    const std::shared_ptr<PoolTable> table_;
    const ImapPlan plan_;
    const std::uint64_t most_items_; // of a chunk; 0: no limit
    const TaskPolicy policy_;
    const std::shared_ptr<AttentionBlock> attention_ = std::make_shared<AttentionBlock>();
    std::deque<Chunk> chunks_;
    // Results of chunk `run_index_` that are there, and plain.
    std::size_t run_index_ = 0;
    std::uint64_t run_items_ = 0;
    std::uint64_t chunk_items_ = 1;
    std::uint64_t submitted_ = 0;
    std::uint64_t pending_ = 0; // whose results were not taken
    const ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail
