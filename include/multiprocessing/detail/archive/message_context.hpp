#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file message_context.hpp  What surrounds a message: who gives handles away with it, and where
/// big blocks of it lie.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

namespace multiprocessing::inline v1::detail {

/// Blocks of at least this many bytes may travel beside the message.
inline constexpr std::size_t bulk_threshold = 32 * 1024;

class SharedObject;
struct LeaseEntry;

/// Receives the shared objects of a message that is being written, in order:
/// `handle.export_to(sink)`; and the system's handles that go with it.
class HandleSink {
public:
    virtual ~HandleSink() = default;
    virtual void add(std::shared_ptr<SharedObject> object) = 0;
    /// Returns whether the receiver can have shared objects at all.
    virtual bool reaches_shared_memory() const noexcept { return true; }
    /// Returns the word for the message by which the receiver takes it. Not every message can bring
    /// one.
    virtual std::uint64_t add_handle(platform::Handle) {
        throw std::invalid_argument(
            "multiprocessing: a Connection does not reach a worker that runs already: pass it to the "
            "initializer of the pool, or to a Process");
    }
};

/// Yields the shared objects of a message that is being read, in the same order:
/// `Handle::import_from(source)`.
class HandleSource {
public:
    virtual ~HandleSource() = default;
    virtual LeaseEntry next() = 0;
    /// Returns the object itself, where this process has it already: then there is no lease to be
    /// taken. Else null.
    virtual std::shared_ptr<SharedObject> next_known() { return nullptr; }
    virtual platform::Handle next_handle(std::uint64_t) {
        throw SerializationError("multiprocessing: a message names a handle that did not come with it");
    }
};

/// Of a message that is being written. This one offers nothing: all is in the message, handles are
/// refused.
class WriteContext {
public:
    static constexpr std::uint64_t keep_inline = ~std::uint64_t{0};

    virtual ~WriteContext() = default;

    /// Returns what takes shared handles; null where the message may not hold any.
    virtual HandleSink* handle_sink() { return nullptr; }
    /// Copies the bytes to where the reader finds them, and returns their position; or
    /// `keep_inline`.
    virtual std::uint64_t place(std::span<const std::byte>) { return keep_inline; }
};

/// Of a message that is being read.
class ReadContext {
public:
    virtual ~ReadContext() = default;

    virtual HandleSource* handle_source() { return nullptr; }
    /// Returns whether function pointers may be in it: not where others than processes of this
    /// program write it, as what they name is called.
    virtual bool may_hold_code() const noexcept { return true; }
    /// Returns what `place()` copied to `position`. Throws SerializationError unless `size` bytes
    /// lie there.
    virtual std::span<const std::byte> bytes_at(std::uint64_t position, std::uint64_t size) {
        static_cast<void>(position);
        static_cast<void>(size);
        throw SerializationError("multiprocessing: these bytes refer to shared memory that is not there");
    }
};

} // namespace multiprocessing::inline v1::detail
