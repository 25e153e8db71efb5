#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file raw_end.hpp  A Connection whose other end is in the hands of a test, which may send what is no message.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/connection/stream_transport.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace support {

namespace platform = multiprocessing::detail::platform;

/// The other end of `connection`.
class RawEnd {
public:
    explicit RawEnd(bool has_bells = false) {
        auto [here, there] = platform::make_stream_pair();
        raw_.emplace(std::move(here));
        connection.emplace(
            std::make_unique<multiprocessing::detail::StreamTransport>(
                std::move(there),
                multiprocessing::detail::StreamTransport::Options{.both_ways = true, .has_bells = has_bells}),
            true, true);
    }

    void write(std::initializer_list<unsigned> bytes) {
        std::vector<std::byte> all;
        for (const unsigned byte : bytes) all.push_back(static_cast<std::byte>(byte));
        std::vector<platform::Handle> none;
        raw_->write_all(all, {}, none, nullptr);
    }
    std::vector<std::byte> read(std::size_t size) {
        std::vector<std::byte> bytes(size);
        std::size_t got = 0;
        while (got < size) {
            platform::Arrived arrived;
            const std::size_t some = raw_->read_some(std::span{bytes}.subspan(got), {}, arrived).value();
            if (some == 0) break;
            got += some;
        }
        bytes.resize(got);
        return bytes;
    }
    void close() { raw_.reset(); }

    std::optional<multiprocessing::Connection> connection;

private:
    std::optional<platform::Stream> raw_;
};

} // namespace support
