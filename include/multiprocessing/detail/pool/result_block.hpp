#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result_block.hpp  What came of a task or chunk, in a block that its worker writes and its
/// parent reads and frees.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/parcel.hpp>
#include <multiprocessing/detail/shared_object/message_contexts.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What stands before the message of an outcome that lies in a block: the Positions of what it
/// refers to, so that the parent can free them whether or not it can read the message.
struct OutcomeHead {
    std::uint64_t blocks;  ///< The number of Positions that follow; 0 is one that another process has by now.
    std::uint64_t objects; ///< The number of shared objects, the last of them, that the message hands over.

    Position* list() noexcept { return reinterpret_cast<Position*>(this + 1); }
    std::byte* message() noexcept;
};

/// The bytes of an outcome in the worker's heap. Of `placed` the last are `objects` that are handed
/// over.
MULTIPROCESSING_INLINE Block write_outcome(std::span<const std::byte> message, const std::vector<Block>& placed,
                                           std::uint64_t objects = 0);

/// Frees an outcome that a worker wrote (write_outcome) and this process owns by now. Once: the
/// parcel stays as it is, as another thread may be asking whether it refers to a block of a worker
/// that died.
MULTIPROCESSING_INLINE void free_outcome(const Parcel& outcome);

/// The message of an outcome.
MULTIPROCESSING_INLINE std::span<const std::byte> outcome_message(const Parcel& outcome);

/// Finds what a message of an outcome refers to, and takes over, in their order, the objects that
/// it hands over. They live on when the outcome is freed.
class ReceivedResult final : public SpaceReadContext, public HandleSource {
public:
    explicit ReceivedResult(const Parcel& outcome);

    HandleSource* handle_source() override { return this; }
    MULTIPROCESSING_INLINE LeaseEntry next() override;

private:
    std::span<Position> objects_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::byte* OutcomeHead::message() noexcept {
    return reinterpret_cast<std::byte*>(list() + blocks);
}

MULTIPROCESSING_INLINE Block write_outcome(std::span<const std::byte> message, const std::vector<Block>& placed,
                                           std::uint64_t objects) {
    TreeMember& self = tree();
    Block block{self.heap.allocate(sizeof(OutcomeHead) + placed.size() * sizeof(Position) + message.size())};
    auto& head = self.space.at<OutcomeHead>(block.position());
    head = {placed.size(), objects};
    std::transform(placed.begin(), placed.end(), head.list(),
                   [](const Block& part) { return part.position(); });
    if (!message.empty()) std::memcpy(head.message(), message.data(), message.size());
    return block;
}

MULTIPROCESSING_INLINE void free_outcome(const Parcel& outcome) {
    if (!outcome.block) return;
    TreeMember& member = tree();
    auto& head = member.space.at<OutcomeHead>(outcome.block);
    for (const Position block : std::span(head.list(), static_cast<std::size_t>(head.blocks))) {
        if (block) member.heap.free(block);
    }
    member.heap.free(outcome.block);
}

MULTIPROCESSING_INLINE std::span<const std::byte> outcome_message(const Parcel& outcome) {
    return {tree().space.at<OutcomeHead>(outcome.block).message(), static_cast<std::size_t>(outcome.bytes)};
}

MULTIPROCESSING_INLINE ReceivedResult::ReceivedResult(const Parcel& outcome) {
    if (!outcome.block) return;
    auto& head = tree().space.at<OutcomeHead>(outcome.block);
    objects_ = std::span(head.list(), static_cast<std::size_t>(head.blocks))
                   .last(static_cast<std::size_t>(head.objects));
}

MULTIPROCESSING_INLINE LeaseEntry ReceivedResult::next() {
    if (objects_.empty())
        throw SerializationError("multiprocessing: a result names a shared object that was not handed over");
    const Position object = std::exchange(objects_.front(), 0);
    objects_ = objects_.subspan(1);
    return {object, 0};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
