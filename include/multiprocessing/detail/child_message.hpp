#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_message.hpp  The message for a child that is no copy of its parent, in a block of the Space.

#include <multiprocessing/detail/child_start.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/tree.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Start, payload, and what has changed of the surroundings since the child's model was made (fork server only).
struct ChildMessage {
    ChildStart start;
    std::span<const std::byte> payload;
    std::span<const std::byte> changes;
};

/// Three sizes, then the three parts.
inline Block write_message(const ChildStart& start, std::span<const std::byte> payload,
                           std::span<const std::byte> changes) {
    const std::vector<std::byte> head = dumps(start);
    const std::array<std::span<const std::byte>, 3> parts{head, payload, changes};
    const std::uint64_t sizes[3] = {head.size(), payload.size(), changes.size()};
    TreeMember& member = tree();
    Block block{member.heap.allocate(sizeof sizes + head.size() + payload.size() + changes.size())};
    std::byte* at = &member.space.at<std::byte>(block.position());
    std::memcpy(at, sizes, sizeof sizes);
    at += sizeof sizes;
    for (const auto part : parts) {
        if (!part.empty()) std::memcpy(at, part.data(), part.size());
        at += part.size();
    }
    return block;
}

/// Throws ProcessError if there is no such message, SerializationError if it is damaged.
inline ChildMessage read_message(const Space& space, Position position) {
    std::uint64_t sizes[3];
    const auto next = [&](std::uint64_t bytes) {
        if (!space.holds(position, bytes))
            throw ProcessError("multiprocessing: the message for a child is damaged");
        const std::span part{&space.at<const std::byte>(position), static_cast<std::size_t>(bytes)};
        position += bytes;
        return part;
    };
    std::memcpy(sizes, next(sizeof sizes).data(), sizeof sizes);
    ChildMessage message{loads<ChildStart>(next(sizes[0])), {}, {}};
    message.payload = next(sizes[1]);
    message.changes = next(sizes[2]);
    return message;
}

} // namespace multiprocessing::inline v1::detail
