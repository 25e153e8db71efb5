#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file message_contexts.hpp  The surroundings of a message over a Connection: handles go beside
/// it.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/transport.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Of a message that is sent.
class SentMessage final : public WriteContext, public HandleSink {
public:
    explicit SentMessage(const Transport& transport) : transport_(transport) {}

    HandleSink* handle_sink() override { return this; }
    MULTIPROCESSING_INLINE void add(std::shared_ptr<SharedObject>) override;
    bool reaches_shared_memory() const noexcept override { return false; }
    MULTIPROCESSING_INLINE std::uint64_t add_handle(platform::Handle handle) override;

    std::vector<platform::Handle> beside;

private:
    const Transport& transport_;
};

/// Of a message that is received.
class ReceivedMessage final : public ReadContext, public HandleSource {
public:
    explicit ReceivedMessage(Incoming& message) : message_(message) {}

    HandleSource* handle_source() override { return this; }
    MULTIPROCESSING_INLINE LeaseEntry next() override;
    MULTIPROCESSING_INLINE platform::Handle next_handle(std::uint64_t word) override;

private:
    Incoming& message_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void SentMessage::add(std::shared_ptr<SharedObject>) {
    throw SerializationError(
        "multiprocessing: a shared handle is not sent, but passed to a process or task as an "
        "argument");
}

MULTIPROCESSING_INLINE std::uint64_t SentMessage::add_handle(platform::Handle handle) {
    if (!transport_.carries_handles()) {
        throw std::invalid_argument(
            "multiprocessing: a Connection can only be sent over a Pipe, or a Connection of "
            "a Listener on this machine, not over a network");
    }
    if (beside.size() == platform::Stream::most_handles) {
        throw std::invalid_argument("multiprocessing: more than " +
                                    std::to_string(platform::Stream::most_handles) +
                                    " Connections in one message; send them in several");
    }
    beside.push_back(std::move(handle));
    return beside.size() - 1;
}

MULTIPROCESSING_INLINE LeaseEntry ReceivedMessage::next() {
    throw SerializationError(
        "multiprocessing: a message names a shared object; these do not come over a Connection");
}

MULTIPROCESSING_INLINE platform::Handle ReceivedMessage::next_handle(std::uint64_t word) {
    if (word < message_.handles.size() && message_.handles[static_cast<std::size_t>(word)].valid())
        return std::move(message_.handles[static_cast<std::size_t>(word)]);
    if (message_.handles_lost) {
        throw std::system_error(std::make_error_code(std::errc::too_many_files_open),
                                "multiprocessing: a Connection was received, but this process has no room for "
                                "its descriptor (`ulimit -n`)");
    }
    return HandleSource::next_handle(word);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
