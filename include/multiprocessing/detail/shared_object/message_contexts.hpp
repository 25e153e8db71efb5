#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file message_contexts.hpp  Shared objects and big blocks that travel with a message through the
/// Space.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Copies big blocks of a message that is being written into the heap of this process, once.
class SpaceWriteContext : public WriteContext {
public:
    MULTIPROCESSING_INLINE std::uint64_t place(std::span<const std::byte> bytes) override;

    std::vector<Block> blocks;
};

/// Collects the shared objects of a message to a child or task. Leases are given later, when the
/// receiver is known.
template <class Base = WriteContext>
class ArgumentContext : public Base, public HandleSink {
public:
    HandleSink* handle_sink() override { return this; }
    void add(std::shared_ptr<SharedObject> object) override {
        object->address(); // throws here, where the argument is written, if it may not be passed on
        objects.push_back(std::move(object));
    }

    std::vector<std::shared_ptr<SharedObject>> objects;
};

/// The same of a message to a child that is yet to be made, which may have handles of the system as
/// well.
class ChildArgumentContext final : public ArgumentContext<> {
public:
    MULTIPROCESSING_INLINE std::uint64_t add_handle(platform::Handle handle) override;

    std::vector<platform::Handle> handles;
};

/// Collects what a result hands over: big blocks, and shared objects whose owner the caller will
/// be.
class ResultContext final : public SpaceWriteContext, public HandleSink {
public:
    HandleSink* handle_sink() override { return this; }
    MULTIPROCESSING_INLINE void add(std::shared_ptr<SharedObject> object) override;

    std::vector<Block> objects;
};

/// Finds the blocks again.
class SpaceReadContext : public ReadContext {
public:
    MULTIPROCESSING_INLINE std::span<const std::byte> bytes_at(std::uint64_t position,
                                                               std::uint64_t size) override;
};

/// Yields the shared objects, in the order in which they were given.
class ReceivedArguments final : public SpaceReadContext, public HandleSource {
public:
    explicit ReceivedArguments(std::span<const LeaseEntry> leases, std::span<platform::Handle> handles = {})
        : leases_(leases), handles_(handles) {}

    HandleSource* handle_source() override { return this; }
    MULTIPROCESSING_INLINE LeaseEntry next() override;

    MULTIPROCESSING_INLINE platform::Handle next_handle(std::uint64_t word) override;

    /// Ends the promises of these leases: all that will be taken has been taken.
    static void fulfil(std::span<const LeaseEntry> leases);

private:
    std::span<const LeaseEntry> leases_;
    std::span<platform::Handle> handles_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <cstring>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::uint64_t SpaceWriteContext::place(std::span<const std::byte> bytes) {
    Block block{tree().heap.allocate(bytes.size())};
    std::memcpy(&tree().space.at<std::byte>(block.position()), bytes.data(), bytes.size());
    blocks.push_back(std::move(block));
    return blocks.back().position();
}

MULTIPROCESSING_INLINE std::uint64_t ChildArgumentContext::add_handle(platform::Handle handle) {
    handles.push_back(std::move(handle));
    return handles.size() - 1;
}

MULTIPROCESSING_INLINE void ResultContext::add(std::shared_ptr<SharedObject> object) {
    constexpr long handles = 2; // the one that is returned, and this pointer
    objects.push_back(SharedObject::hand_over(object, handles));
}

MULTIPROCESSING_INLINE std::span<const std::byte> SpaceReadContext::bytes_at(std::uint64_t position,
                                                                             std::uint64_t size) {
    const Space& space = tree().space;
    if (!space.holds(position, size))
        throw SerializationError("multiprocessing: a message points outside the shared memory");
    return {&space.at<const std::byte>(position), static_cast<std::size_t>(size)};
}

MULTIPROCESSING_INLINE LeaseEntry ReceivedArguments::next() {
    if (leases_.empty())
        throw SerializationError("multiprocessing: a message names a shared object that was not given");
    const LeaseEntry lease = leases_.front();
    leases_ = {leases_.data() + 1, leases_.size() - 1};
    return lease;
}

MULTIPROCESSING_INLINE platform::Handle ReceivedArguments::next_handle(std::uint64_t word) {
    if (word >= handles_.size() || !handles_[static_cast<std::size_t>(word)].valid())
        return HandleSource::next_handle(word);
    return std::move(handles_[static_cast<std::size_t>(word)]);
}

MULTIPROCESSING_INLINE void ReceivedArguments::fulfil(std::span<const LeaseEntry> leases) {
    for (const LeaseEntry& lease : leases) let_go(tree(), lease.grips);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
