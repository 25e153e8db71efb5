// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/platform/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace contracts;

namespace {

const auto nothing = [](std::uint64_t) {};
const platform::Endpoint any_path;
const platform::Endpoint any_port{"", "127.0.0.1", 0};

/// The end of the one who connects next.
platform::Handle accepted(platform::Listening& listening, platform::Endpoint& peer) {
    for (;;) {
        REQUIRE(platform::wait_one(listening.handle(), patience()));
        if (auto end = listening.accept(peer)) return std::move(*end);
    }
}

std::string received(platform::Stream& stream) {
    std::byte bytes[100];
    platform::Arrived arrived;
    const std::size_t count = stream.read_some(bytes, patience(), arrived).value();
    return std::string(reinterpret_cast<const char*>(bytes), count);
}

void send(platform::Stream& stream, const std::string& text) {
    std::vector<platform::Handle> none;
    stream.write_all(std::as_bytes(std::span(text)), {}, none, nullptr);
}

} // namespace

TEST_CASE("a client that connects talks with the end that was accepted", "[listener]") {
    const platform::Endpoint wanted = GENERATE(any_path, any_port);
    platform::Listening listening{wanted, 1, nothing};
    CHECK(listening.endpoint() != wanted); // of the system's choice
    platform::Endpoint peer;
    CHECK_FALSE(listening.accept(peer)); // does not wait
    platform::Stream client{platform::connect(listening.endpoint(), patience())};
    platform::Stream server{accepted(listening, peer)};
    CHECK(peer.is_network() == wanted.is_network());
    send(client, "question");
    CHECK(received(server) == "question");
    send(server, "answer");
    CHECK(received(client) == "answer");
    CHECK_FALSE(listening.accept(peer));
}

TEST_CASE("several clients are accepted, each by an end of its own", "[listener]") {
    platform::Listening listening{any_path, 4, nothing};
    platform::Endpoint peer;
    std::vector<platform::Stream> clients;
    std::vector<platform::Stream> servers;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(platform::connect(listening.endpoint(), patience()));
        servers.emplace_back(accepted(listening, peer));
    }
    for (std::size_t i = 0; i < 3; ++i) send(clients[i], std::to_string(i));
    for (std::size_t i = 0; i < 3; ++i) CHECK(received(servers[i]) == std::to_string(i));
}

TEST_CASE("connecting where nobody listens is an error", "[listener]") {
    const platform::Endpoint wanted = GENERATE(any_path, any_port);
    std::optional<platform::Listening> listening;
    listening.emplace(wanted, 1, nothing);
    const platform::Endpoint endpoint = listening->endpoint();
    listening.reset();
    CHECK_THROWS_AS(platform::connect(endpoint, patience()), std::system_error);
}

TEST_CASE("an endpoint of another platform's kind is refused", "[listener]") {
#if defined(_WIN32)
    const platform::Endpoint foreign{"/tmp/socket", "", -1};
#else
    const platform::Endpoint foreign{"\\\\.\\pipe\\name", "", -1};
#endif
    CHECK_THROWS_AS((platform::Listening{foreign, 1, nothing}), std::invalid_argument);
    CHECK_THROWS_AS(platform::connect(foreign, patience()), std::invalid_argument);
}

TEST_CASE("a waitable is ready for a client, and for an included end", "[listener]") {
    platform::Listening listening{any_path, 1, nothing};
    const auto now = [] { return Deadline::after(0s); };
    CHECK_FALSE(platform::wait_one(listening.waitable(), now()));
    platform::Stream client{platform::connect(listening.endpoint(), patience())};
    CHECK(platform::wait_one(listening.waitable(), patience()));
    platform::Endpoint peer;
    platform::Stream server{accepted(listening, peer)};
    CHECK_FALSE(platform::wait_one(listening.waitable(), now()));
    if (listening.waitable() == listening.handle()) return; // ends cannot be included
    listening.include(server.handle().native());
    CHECK_FALSE(platform::wait_one(listening.waitable(), now()));
    send(client, "x");
    CHECK(platform::wait_one(listening.waitable(), patience()));
    listening.exclude(server.handle().native());
    CHECK_FALSE(platform::wait_one(listening.waitable(), now()));
}

#if !defined(_WIN32)

// Wine lets two sockets listen at one port.
TEST_CASE("an endpoint that is taken is refused to a second listener", "[listener]") {
    const platform::Endpoint wanted = GENERATE(any_path, any_port);
    const platform::Listening first{wanted, 1, nothing};
    CHECK_THROWS_AS((platform::Listening{first.endpoint(), 1, nothing}), std::system_error);
}

TEST_CASE("what a listener made in the file system goes with it", "[listener]") {
    std::filesystem::path folder;
    std::uint64_t told = 0;
    {
        const platform::Listening listening{any_path, 1, [&](std::uint64_t identity) { told = identity; }};
        folder = std::filesystem::path(listening.endpoint().path).parent_path();
        CHECK(std::filesystem::exists(folder));
        CHECK(platform::is_of_process(told)); // the janitor takes it away at once
    }
    CHECK_FALSE(std::filesystem::exists(folder));
}

#endif
