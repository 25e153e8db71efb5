#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file attention_block.hpp  The parent's side of what the workers of an itemized map are asked
/// for between two items.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

namespace multiprocessing::inline v1::detail {

/// What several itemized maps of one reader share: where it sleeps, what it wants.
class AttentionBlock {
public:
    AttentionBlock() : block_(tree().heap.allocate_zeroed(sizeof(ItemizedAttention))) {}

    Position position() const noexcept { return block_.position(); }
    ItemizedAttention& attention() const;

    /// The worker that has this chunk is asked for something; at most one thing at a time.
    void open_ask(ItemizedChunk& chunk, ChunkAsk ask) const noexcept;
    void close_ask(ItemizedChunk& chunk) const noexcept;

private:
    Block block_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <atomic>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ItemizedAttention& AttentionBlock::attention() const {
    return tree().space.at<ItemizedAttention>(block_.position());
}

MULTIPROCESSING_INLINE void AttentionBlock::open_ask(ItemizedChunk& chunk, ChunkAsk ask) const noexcept {
    // In this order: whoever sees the number sees what it is about.
    if (chunk.ask.exchange(ask, std::memory_order_seq_cst) == 0)
        attention().wanted.fetch_add(ItemizedAttention::asked, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void AttentionBlock::close_ask(ItemizedChunk& chunk) const noexcept {
    if (chunk.ask.exchange(0, std::memory_order_seq_cst) != 0)
        attention().wanted.fetch_sub(ItemizedAttention::asked, std::memory_order_seq_cst);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
