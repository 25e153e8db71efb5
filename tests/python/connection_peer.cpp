// SPDX-License-Identifier: BSL-1.0
/// @file connection_peer.cpp  The C++ side of a conversation with Python over a Listener: it sends back whatever it receives.
///
///     listen path|tcp KEY 0|1          prints where; then "accepted" or "refused" for each that connects; "quit" ends it
///     connect PATH KEY 0|1             prints "accepted" or "refused"
///     connect HOST:PORT KEY 0|1
///
/// KEY in hexadecimal digits, "-" for none; 1 to allow MD5.

#include <multiprocessing/listener.hpp>
#include <multiprocessing/spawn.hpp>

#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace mp = multiprocessing;
using namespace multiprocessing::connection;

std::optional<std::string> key_of(const std::string& text) {
    if (text == "-") return std::nullopt;
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

/// True if it was told to end.
bool send_back(mp::Connection& connection) {
    try {
        for (;;) {
            const std::vector<std::byte> message = connection.recv_bytes();
            if (message.size() == 4 && std::memcmp(message.data(), "quit", 4) == 0) return true;
            connection.send_bytes(message);
        }
    } catch (const mp::EOFError&) { return false; }
}

int serve(const std::string& where, const std::string& key, bool allow_md5) {
    const Address address = where == "tcp" ? Address("127.0.0.1", 0) : Address();
    Listener listener({.address = address, .authkey = key_of(key), .allow_md5 = allow_md5});
    const Address at = listener.address();
    std::cout << (at.path().empty() ? at.host() + ":" + std::to_string(at.port()) : at.path()) << std::endl;
    for (;;) {
        try {
            mp::Connection connection = listener.accept();
            std::cout << "accepted" << std::endl;
            if (send_back(connection)) return 0;
        } catch (const mp::AuthenticationError&) { std::cout << "refused" << std::endl; }
    }
}

int call(const std::string& where, const std::string& key, bool allow_md5) {
    const std::size_t colon = where.rfind(':');
    const Address address = colon == std::string::npos
                                ? Address(where)
                                : Address(where.substr(0, colon), std::stoi(where.substr(colon + 1)));
    try {
        mp::Connection connection = Client(address, {.authkey = key_of(key), .allow_md5 = allow_md5});
        std::cout << "accepted" << std::endl;
        send_back(connection);
    } catch (const mp::AuthenticationError&) { std::cout << "refused" << std::endl; }
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    mp::freeze_support();
    if (count != 5) return 2;
    try {
        const bool allow_md5 = std::string(arguments[4]) == "1";
        const auto run = std::string(arguments[1]) == "listen" ? serve : call;
        return run(arguments[2], arguments[3], allow_md5);
    } catch (const std::exception& error) {
        std::cout << "error: " << error.what() << std::endl;
        return 1;
    }
}
