#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file address.hpp  Address: where a Listener or a manager waits for others to connect.

#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

namespace connection {
class Address;
}

namespace detail {
const platform::Endpoint& endpoint_of(const connection::Address& address) noexcept;
connection::Address address_of(platform::Endpoint endpoint);
} // namespace detail

namespace connection {

/// The address of a Listener: a path, or host and port. Small; crosses by value; comparable.
///
/// A path is the path of a socket in the file system; or, if it begins with a null byte, a name
/// outside of any file system (Linux); or the path of a pipe, `\\.\pipe\name` (Windows). Host and
/// port are those of TCP; the empty host means all addresses of this machine. A default-constructed
/// Address lets the library choose. Python: `address`.
class Address {
public:
    Address() = default;
    Address(const char* path) : Address(std::string(path)) {}
    Address(std::string path) { endpoint_.path = std::move(path); }
    Address(const std::filesystem::path& path) : Address(path.string()) {}
    /// Makes a TCP address. Port 0 lets a Listener choose a free port. Throws
    /// `std::invalid_argument` if `port` is not between 0 and 65535.
    Address(std::string host, int port) {
        if (port < 0 || port > 65'535)
            throw std::invalid_argument("multiprocessing: " + std::to_string(port) +
                                        " is no port; they go from 0 to 65535");
        endpoint_.host = std::move(host);
        endpoint_.port = port;
    }

    /// Returns the path; empty if this is host and port.
    const std::string& path() const noexcept { return endpoint_.path; }
    const std::string& host() const noexcept { return endpoint_.host; }
    /// Returns the port; 0 if this is a path.
    int port() const noexcept { return (std::max)(endpoint_.port, 0); }

    friend bool operator==(const Address&, const Address&) = default;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(endpoint_.path, endpoint_.host, endpoint_.port);
    }

private:
    friend const detail::platform::Endpoint& detail::endpoint_of(const Address& address) noexcept;
    friend Address detail::address_of(detail::platform::Endpoint endpoint);
    explicit Address(detail::platform::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

    detail::platform::Endpoint endpoint_;
};

} // namespace connection

namespace detail {

inline const platform::Endpoint& endpoint_of(const connection::Address& address) noexcept {
    return address.endpoint_;
}
inline connection::Address address_of(platform::Endpoint endpoint) {
    return connection::Address(std::move(endpoint));
}

} // namespace detail

} // namespace multiprocessing::inline v1
