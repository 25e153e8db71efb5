#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file endpoint.hpp  Where a stream's end waits for others to connect: what listener.hpp listens
/// at.

#include <multiprocessing/detail/config.hpp>

#include <string>

namespace multiprocessing::inline v1::detail::platform {

/// A path, or host and port.
struct Endpoint {
    std::string path;
    std::string host;
    int port = -1; ///< -1: it is the path that counts.

    bool is_network() const noexcept { return port >= 0; }
    bool operator==(const Endpoint&) const = default;
};

} // namespace multiprocessing::inline v1::detail::platform
