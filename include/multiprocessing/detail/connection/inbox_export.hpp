#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file inbox_export.hpp  What was read ahead of a stream, on its way to the process that the
/// stream is handed to.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/stream.hpp>

namespace multiprocessing::inline v1::detail {

/// Writes the bytes of `inbox`, and the handles that came with them, and empties it: the receiver
/// sees them first. If it throws, `inbox` is as it was.
MULTIPROCESSING_INLINE void export_inbox(platform::Inbox& inbox, HandleSink& sink, Writer& writer);

/// Adds what export_inbox() has written to `inbox`.
MULTIPROCESSING_INLINE void import_inbox(platform::Inbox& inbox, HandleSource& source, Reader& reader);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/handle.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void export_inbox(platform::Inbox& inbox, HandleSink& sink, Writer& writer) {
    std::vector<std::byte> ahead(inbox.bytes().size());
    writer.length(ahead.size());
    if (!ahead.empty()) writer.bytes(inbox.bytes().data(), ahead.size());
    std::size_t count = 0;
    inbox.for_each_arrived([&](std::size_t, const platform::Arrived&) { ++count; });
    writer.length(count);
    inbox.for_each_arrived([&](std::size_t end, const platform::Arrived& arrived) {
        writer.raw(std::uint64_t{end});
        writer.raw(std::uint8_t{arrived.lost});
        writer.length(arrived.handles.size());
        for (const platform::Handle& handle : arrived.handles) writer.raw(sink.add_handle(handle.duplicate()));
    });
    inbox.read(ahead); // now that nothing can fail any more
    inbox.take_arrived();
}

MULTIPROCESSING_INLINE void import_inbox(platform::Inbox& inbox, HandleSource& source, Reader& reader) {
    constexpr std::size_t min_bytes_of_arrived = sizeof(std::uint64_t) + 2; // what export_inbox() writes of one
    const auto ahead = reader.bytes(reader.length(1));
    inbox.add(ahead);
    for (std::size_t left = reader.length(min_bytes_of_arrived); left > 0; --left) {
        const auto end = reader.raw<std::uint64_t>();
        if (end > ahead.size()) reader.fail("handles came with bytes that are not there");
        platform::Arrived arrived;
        arrived.lost = reader.flag();
        for (std::size_t handles = reader.length(sizeof(std::uint64_t)); handles > 0; --handles)
            arrived.handles.push_back(source.next_handle(reader.raw<std::uint64_t>()));
        inbox.add_arrived(static_cast<std::size_t>(end), std::move(arrived));
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
