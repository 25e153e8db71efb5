#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pipe.hpp  Pipe(): two Connections that are connected to each other.

#include <multiprocessing/connection/connection.hpp>
#include <multiprocessing/detail/config.hpp>

#include <utility>

namespace multiprocessing::inline v1 {

/// Makes two connected Connections: what one sends, the other receives. If `duplex` is false the
/// first only receives and the second only sends. Python: `multiprocessing.Pipe`.
MULTIPROCESSING_INLINE std::pair<Connection, Connection> Pipe(bool duplex = true);

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/connection/pipe_body.hpp>
#include <multiprocessing/detail/connection/ring_transport.hpp>
#include <multiprocessing/detail/connection/stream_transport.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/stream.hpp>

#include <memory>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE std::pair<Connection, Connection> Pipe(bool duplex) {
    auto [first, second] = detail::platform::make_stream_pair();
    const detail::PipeRings rings;
    const auto end = [&](detail::platform::Handle handle, bool receives) {
        if (!duplex) detail::platform::Stream::shut(handle, !receives, receives);
        auto stream = std::make_unique<detail::StreamTransport>(
            std::move(handle), detail::StreamTransport::Options{.both_ways = duplex, .has_bells = true});
        return Connection(std::make_unique<detail::RingTransport>(rings, receives ? 0 : 1, std::move(stream)),
                          duplex || receives, duplex || !receives);
    };
    return {end(std::move(first), true), end(std::move(second), false)};
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
