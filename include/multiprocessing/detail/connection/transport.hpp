#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file transport.hpp  What carries the messages of a Connection: one end of it.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A message whose body has not been read yet. While it lives nobody else receives.
struct Incoming {
    std::uint64_t size = 0;
    Ring::Taking taking;                   ///< If it lies in a ring.
    std::vector<platform::Handle> handles; ///< What came with it.
    bool handles_lost = false;             ///< There were more, and no room for them in this process.
    std::unique_lock<Mutex> receiving;
};

/// One end. Any thread may send, any may receive: messages stay whole. Closed by its destructor.
class Transport {
public:
    virtual ~Transport() = default;

    /// Sends one message, in two parts, with at most Stream::most_handles handles. Throws
    /// `std::system_error`: `broken_pipe` if no process will receive it.
    virtual void send(std::span<const std::byte> begin, std::span<const std::byte> rest,
                      std::vector<platform::Handle> handles) = 0;

    /// Waits for the next message and puts it into `message`, which is an empty one before. Returns
    /// false at end of file. Throws `std::system_error` if what comes is no message, or ends within
    /// one; TimeoutError when the deadline passes.
    virtual bool receive(Incoming& message, Deadline deadline) = 0;
    /// Reads its body: as a whole, after receive().
    virtual std::vector<std::byte> body(Incoming& message, Deadline deadline) = 0;
    /// Reads its body into memory of the caller's, of the body's size.
    virtual void body_into(Incoming& message, std::span<std::byte> bytes, Deadline deadline) = 0;

    /// Returns whether a message, or the end, begins to arrive before the deadline.
    virtual bool poll(Deadline deadline) = 0;

    /// Returns something that wait_any() can wait for; nullopt if there is something to receive
    /// already. **Must** be paired with unwatch(was_ready), which is told whether that was ready,
    /// or nullopt, and returns whether there is something to receive. Between the two calls no
    /// other thread receives, or watches another end of the same identity(); several ends are
    /// watched in the order of their identities.
    virtual std::optional<platform::NativeHandle> watch() = 0;
    virtual bool unwatch(bool was_ready) = 0;
    virtual const void* identity() const noexcept = 0;
    /// Watches until the deadline, or for a shorter time. Whether there is something to receive.
    bool wait_watching(Deadline deadline);

    /// Returns the handle that polls readable when a message comes, from now on.
    virtual const platform::Handle& expose() = 0;

    /// Returns whether handles can be sent over it.
    virtual bool carries_handles() const noexcept = 0;

    /// Returns a second end of the same stream, with a handle of its own.
    virtual std::unique_ptr<Transport> duplicate() const = 0;
    /// Writes what another process makes the same end of, by RingTransport::import_from().
    virtual void export_to(HandleSink& sink, Writer& writer) = 0;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool Transport::wait_watching(Deadline deadline) {
    const auto handle = watch();
    ScopeExit end_watch{[&] { unwatch(false); }};
    const bool came = !handle || platform::wait_one(*handle, deadline);
    end_watch.release();
    return unwatch(came);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
