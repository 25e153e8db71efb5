#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handles.hpp  Sending handles of the operating system over a Connection:
/// reduction::send_handle(), recv_handle().

#include <multiprocessing/connection/connection.hpp>
#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// A handle of the system on its way over a Connection.
class TravellingHandle {
public:
    using multiprocessing_owned_handle = void;

    explicit TravellingHandle(platform::Handle handle) noexcept : handle_(std::move(handle)) {}

    void export_to(HandleSink& sink, Writer& writer) const;
    static TravellingHandle import_from(HandleSource& source, Reader& reader);

    platform::NativeHandle release() noexcept { return handle_.release(); }

private:
    platform::Handle handle_;
};

} // namespace detail

namespace reduction {

/// Sends a duplicate of `handle`, a descriptor or a HANDLE, to the process at the other end of a
/// Pipe, or of a Connection of a Listener on this machine. `handle` stays the caller's. Throws
/// `std::system_error` if it is not open, `std::invalid_argument` over a network. Python:
/// `multiprocessing.reduction.send_handle(connection, handle, pid)`.
MULTIPROCESSING_INLINE void send_handle(Connection& connection, detail::platform::NativeHandle handle);

/// Waits for a handle that send_handle() has sent, and returns it. The caller owns it and has to
/// close it; programs that this process starts do not inherit it. Throws SerializationError if the
/// message is of another kind, `std::system_error` if this process has no room for a handle.
/// Python: `multiprocessing.reduction.recv_handle(connection)`.
MULTIPROCESSING_INLINE detail::platform::NativeHandle recv_handle(Connection& connection);

} // namespace reduction

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <cstdint>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void TravellingHandle::export_to(HandleSink& sink, Writer& writer) const {
    writer.raw(sink.add_handle(handle_.duplicate()));
}

MULTIPROCESSING_INLINE TravellingHandle TravellingHandle::import_from(HandleSource& source, Reader& reader) {
    return TravellingHandle(source.next_handle(reader.raw<std::uint64_t>()));
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::reduction {

MULTIPROCESSING_INLINE void send_handle(Connection& connection, detail::platform::NativeHandle handle) {
    connection.send(
        detail::TravellingHandle(detail::platform::Handle{detail::platform::HandleTraits::duplicate(handle)}));
}

MULTIPROCESSING_INLINE detail::platform::NativeHandle recv_handle(Connection& connection) {
    return connection.recv<detail::TravellingHandle>().release();
}

} // namespace multiprocessing::inline v1::reduction

#endif // MULTIPROCESSING_BODIES
