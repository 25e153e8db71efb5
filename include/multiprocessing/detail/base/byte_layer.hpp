#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file byte_layer.hpp  What stands between a stream and those that read and write it, and changes
/// the bytes in both directions.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One end of a layer, which knows nothing of the stream: it is given the bytes that arrive, and
/// says which are to be sent. All members may be called by any thread, none of them waits. The
/// reader and the writer of the stream may use it at once; the caller sees to it that what it says
/// is sent in this order.
class ByteLayer {
public:
    ByteLayer() = default;
    ByteLayer(const ByteLayer&) = delete;
    ByteLayer& operator=(const ByteLayer&) = delete;
    virtual ~ByteLayer() = default;

    /// Goes on with the handshake of both ends; returns whether it is done, before which nothing is
    /// read or written. Throws AuthenticationError, which says why, if it cannot be.
    virtual bool advance() = 0;
    /// Takes bytes that have arrived.
    virtual void add(std::span<const std::byte> arrived) = 0;
    /// Returns how many bytes it has put into `plain`; 0 when the other side has said that it ends,
    /// nullopt when more has to arrive first. Throws AuthenticationError before the first byte,
    /// `std::system_error` with `protocol_error` later, if what has arrived is wrong.
    virtual std::optional<std::size_t> read(std::span<std::byte> plain) = 0;
    /// Returns whether read() would return something, or throw.
    virtual bool has_something() = 0;
    /// Appends to `out` what is to be sent: what has accrued meanwhile, then `plain`.
    virtual void write(std::span<const std::byte> plain, std::vector<std::byte>& out) = 0;
    /// Has the next write() tell the other side that this is the end.
    virtual void close() noexcept = 0;
};

} // namespace multiprocessing::inline v1::detail
