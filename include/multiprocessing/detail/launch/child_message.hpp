#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_message.hpp  The message for a child that is no copy of its parent, in a block of
/// the Space.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <cstddef>
#include <span>

namespace multiprocessing::inline v1::detail {

/// Start, payload, and what has changed of the surroundings since the child's model was made (fork
/// server only).
struct ChildMessage {
    ChildStart start;
    std::span<const std::byte> payload;
    std::span<const std::byte> changes;
};

// By hand, not by dumps() and loads(): every program that starts processes compiles this.

MULTIPROCESSING_INLINE void write_identity(Writer& writer, const ProcessIdentity& identity);
MULTIPROCESSING_INLINE ProcessIdentity read_identity(Reader& reader);

MULTIPROCESSING_INLINE void write_start(Writer& writer, const ChildStart& start);
MULTIPROCESSING_INLINE ChildStart read_start(Reader& reader);

/// Writes three sizes, then the three parts.
MULTIPROCESSING_INLINE Block write_message(const ChildStart& start, std::span<const std::byte> payload,
                                           std::span<const std::byte> changes);

/// Throws ProcessError if there is no such message, SerializationError if it is damaged.
MULTIPROCESSING_INLINE ChildMessage read_message(const Space& space, Position position);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void write_identity(Writer& writer, const ProcessIdentity& identity) {
    writer.text(identity.name);
    writer.raw(std::uint8_t{identity.daemon});
    writer.text(identity.authkey);
}

MULTIPROCESSING_INLINE ProcessIdentity read_identity(Reader& reader) {
    ProcessIdentity identity;
    identity.name = reader.text();
    identity.daemon = reader.flag();
    identity.authkey = reader.text();
    return identity;
}

MULTIPROCESSING_INLINE void write_start(Writer& writer, const ChildStart& start) {
    write_identity(writer, start.identity);
    write_identity(writer, start.parent);
    writer.raw(start.parent_pid);
    writer.raw(start.name);
    writer.raw(start.record);
    writer.raw(start.target);
    writer.text(start.target_file);
    writer.length(start.given.size());
    for (const LeaseEntry& lease : start.given) writer.raw(lease);
    writer.raw(std::uint8_t{start.default_method.has_value()});
    writer.raw(start.default_method.value_or(StartMethod::spawn));
    writer.raw(start.log_level);
    writer.length(start.env.size());
    for (const auto& [name, value] : start.env) {
        writer.text(name);
        writer.raw(std::uint8_t{value.has_value()});
        writer.text(value ? *value : std::string());
    }
    writer.text(start.cwd);
    writer.raw(std::uint8_t{start.serves});
    writer.raw(start.capabilities);
    writer.raw(std::uint8_t{start.has_preload});
    writer.raw(start.preload);
}

MULTIPROCESSING_INLINE ChildStart read_start(Reader& reader) {
    ChildStart start;
    start.identity = read_identity(reader);
    start.parent = read_identity(reader);
    start.parent_pid = reader.raw<int>();
    start.name = reader.raw<Incarnation>();
    start.record = reader.raw<Position>();
    start.target = reader.raw<ThunkAddress>();
    start.target_file = reader.text();
    for (std::size_t given = reader.length(sizeof(LeaseEntry)); given > 0; --given)
        start.given.push_back(reader.raw<LeaseEntry>());
    const bool has_method = reader.flag();
    const auto method = reader.raw<StartMethod>();
    if (has_method) start.default_method = method;
    start.log_level = reader.raw<LogLevel>();
    for (std::size_t variables = reader.length(1); variables > 0; --variables) {
        std::string name = reader.text();
        const bool is_set = reader.flag();
        std::string value = reader.text();
        start.env[std::move(name)] = is_set ? std::optional(std::move(value)) : std::nullopt;
    }
    start.cwd = reader.text();
    start.serves = reader.flag();
    start.capabilities = reader.raw<platform::Capabilities>();
    start.has_preload = reader.flag();
    start.preload = reader.raw<CodeAddress>();
    return start;
}

MULTIPROCESSING_INLINE Block write_message(const ChildStart& start, std::span<const std::byte> payload,
                                           std::span<const std::byte> changes) {
    Writer writer;
    write_start(writer, start);
    const auto head = writer.view();
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

MULTIPROCESSING_INLINE ChildMessage read_message(const Space& space, Position position) {
    std::uint64_t sizes[3];
    const auto next = [&](std::uint64_t bytes) {
        if (!space.holds(position, bytes))
            throw ProcessError("multiprocessing: the message for a child is damaged");
        const std::span part{&space.at<const std::byte>(position), static_cast<std::size_t>(bytes)};
        position += bytes;
        return part;
    };
    std::memcpy(sizes, next(sizeof sizes).data(), sizeof sizes);
    Reader reader{next(sizes[0])};
    ChildMessage message{read_start(reader), {}, {}};
    message.payload = next(sizes[1]);
    message.changes = next(sizes[2]);
    return message;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
