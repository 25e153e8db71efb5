#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file requests.hpp  Requests to a manager's server, made by hand.

#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/remote_managers/protocol.hpp>

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace process {

/// A request: its kind, and numbers and texts as they are.
template <class... Part>
std::vector<std::byte> request(multiprocessing::detail::RemoteRequest kind, const Part&... part) {
    multiprocessing::detail::Writer writer;
    writer.raw(kind);
    [[maybe_unused]] const auto put = [&](const auto& each) {
        if constexpr (std::is_convertible_v<decltype(each), std::string>) {
            writer.text(each);
        } else {
            writer.raw(each);
        }
    };
    (put(part), ...);
    return writer.release();
}

} // namespace process
