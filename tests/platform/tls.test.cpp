// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#if defined(_WIN32)
#include <multiprocessing/detail/platform/tls.hpp>

#include <stdexcept>

TEST_CASE("without TLS a context says so", "[tls]") {
    namespace platform = multiprocessing::detail::platform;
    CHECK_THROWS_AS(platform::require_tls(), std::logic_error);
    CHECK_THROWS_AS(platform::TlsContext(platform::TlsSide::server, {}), std::logic_error);
}
#elif __has_include(<openssl/ssl.h>)
#include <support/certificates.hpp>

#include <multiprocessing/detail/platform/tls.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace mp = multiprocessing;
namespace platform = mp::detail::platform;
using process::Papers;

namespace {

std::string contents(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

platform::TlsCredentials credentials(const std::optional<Papers::Paper>& paper,
                                     const std::filesystem::path& authority) {
    platform::TlsCredentials all;
    if (paper) {
        all.certificate = contents(paper->certificate);
        all.certificate_file = "certificate";
        all.key = contents(paper->key);
        all.key_file = "key";
    }
    if (!authority.empty()) all.authority = contents(authority);
    all.authority_file = "authority";
    return all;
}

/// Two ends, between which bytes go in pieces.
struct Ends {
    std::unique_ptr<mp::detail::ByteLayer> server;
    std::unique_ptr<mp::detail::ByteLayer> client;
    std::vector<std::byte> seen = {};

    void carry(mp::detail::ByteLayer& from, mp::detail::ByteLayer& to, std::size_t piece) {
        std::vector<std::byte> bytes;
        from.write({}, bytes);
        seen.insert(seen.end(), bytes.begin(), bytes.end());
        for (std::span<const std::byte> rest = bytes; !rest.empty();) {
            const auto some = rest.first((std::min)(piece, rest.size()));
            to.add(some);
            rest = rest.subspan(some.size());
        }
    }
    void shake_hands(std::size_t piece = 100) {
        bool server_done = false;
        bool client_done = false;
        for (int i = 0; i < 10 && !(server_done && client_done); ++i) {
            client_done = client->advance();
            carry(*client, *server, piece);
            server_done = server->advance();
            carry(*server, *client, piece);
        }
        REQUIRE(server_done);
        REQUIRE(client_done);
    }
};

std::string text_of(mp::detail::ByteLayer& layer) {
    std::string all;
    std::vector<std::byte> some(1000);
    for (;;) {
        const auto got = layer.read(some);
        if (!got || *got == 0) return all;
        all.append(reinterpret_cast<const char*>(some.data()), *got);
    }
}

void say(mp::detail::ByteLayer& from, mp::detail::ByteLayer& to, const std::string& text) {
    std::vector<std::byte> out;
    from.write(std::as_bytes(std::span(text)), out);
    to.add(out);
}

} // namespace

TEST_CASE("what goes through TLS arrives, and is nowhere on the way", "[tls]") {
    Papers papers;
    const platform::TlsContext server(platform::TlsSide::server, credentials(papers.server(), {}));
    const platform::TlsContext client(platform::TlsSide::client, credentials({}, papers.authority));
    for (const char* host : {"localhost", "127.0.0.1"}) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
            Ends ends{server.open({}), client.open(host)};
            CHECK_FALSE(ends.client->has_something());
            ends.shake_hands(piece);
            CHECK_FALSE(ends.server->has_something());
            for (const std::string& text : {std::string("a secret"), std::string(100'000, 's')}) {
                std::vector<std::byte> out;
                ends.client->write(std::as_bytes(std::span(text)), out);
                CHECK(std::string(reinterpret_cast<const char*>(out.data()), out.size()).find("secret") ==
                      std::string::npos);
                ends.server->add(std::span{out}.first(out.size() / 2));
                const std::string first = text_of(*ends.server);
                ends.server->add(std::span{out}.subspan(out.size() / 2));
                CHECK(ends.server->has_something());
                CHECK(first + text_of(*ends.server) == text);
                say(*ends.server, *ends.client, "an answer");
                CHECK(text_of(*ends.client) == "an answer");
            }
        }
    }
}

TEST_CASE("the end of TLS is said and heard", "[tls]") {
    Papers papers;
    const platform::TlsContext server(platform::TlsSide::server, credentials(papers.server(), {}));
    const platform::TlsContext client(platform::TlsSide::client, credentials({}, papers.authority));
    Ends ends{server.open({}), client.open("localhost")};
    ends.shake_hands();
    say(*ends.client, *ends.server, "last words");
    ends.client->close();
    ends.carry(*ends.client, *ends.server, 100);
    CHECK(text_of(*ends.server) == "last words");
    CHECK(ends.server->has_something());
    std::vector<std::byte> some(10);
    CHECK(ends.server->read(some) == std::optional<std::size_t>(0));
}

TEST_CASE("bytes that are changed on the way are an error of TLS", "[tls]") {
    Papers papers;
    const platform::TlsContext server(platform::TlsSide::server, credentials(papers.server(), {}));
    const platform::TlsContext client(platform::TlsSide::client, credentials({}, papers.authority));
    Ends ends{server.open({}), client.open("localhost")};
    ends.shake_hands();
    say(*ends.client, *ends.server, "right");
    CHECK(text_of(*ends.server) == "right");
    const std::string text = "wrong";
    std::vector<std::byte> out;
    ends.client->write(std::as_bytes(std::span(text)), out);
    out.back() ^= std::byte{1};
    ends.server->add(out);
    std::vector<std::byte> some(10);
    CHECK(ends.server->has_something());
    CHECK_THROWS_AS(ends.server->read(some), std::system_error);
    CHECK_THROWS_AS(ends.server->read(some), std::system_error);
    CHECK_THROWS_AS(ends.server->write(std::as_bytes(std::span(text)), out), std::system_error);
    ends.server->close();
}

TEST_CASE("either end of TLS refuses whom it does not know", "[tls]") {
    Papers papers;
    Papers others;
    const auto refused = [](const platform::TlsContext& server, const platform::TlsContext& client,
                            const char* host) -> std::string {
        Ends ends{server.open({}), client.open(host)};
        try {
            ends.shake_hands();
            std::vector<std::byte> some(10);
            ends.client->read(some);
        } catch (const mp::AuthenticationError& error) { return error.what(); }
        return "nobody was refused";
    };
    const auto of_server = papers.server();
    const platform::TlsContext server(platform::TlsSide::server, credentials(of_server, {}));
    const platform::TlsContext client(platform::TlsSide::client, credentials({}, papers.authority));
    const platform::TlsContext stranger(platform::TlsSide::client, credentials({}, others.authority));
    CHECK(refused(server, client, "localhost") == "nobody was refused");
    CHECK_THAT(refused(server, client, "127.0.0.2"), ContainsSubstring("not for '127.0.0.2'"));
    CHECK_THAT(refused(server, client, "::1"), ContainsSubstring("not for '::1'"));
    CHECK_THAT(refused(server, client, "server"), ContainsSubstring("not for 'server'")); // its common name
    CHECK_THAT(refused(server, stranger, "localhost"), ContainsSubstring("not signed by"));
    const platform::TlsContext strict(platform::TlsSide::server, credentials(of_server, papers.authority));
    CHECK_THAT(refused(strict, client, "localhost"), ContainsSubstring("shows no certificate"));
    const platform::TlsContext known(platform::TlsSide::client, credentials(papers.client(), papers.authority));
    CHECK(refused(strict, known, "localhost") == "nobody was refused");
    const platform::TlsContext alien(platform::TlsSide::client, credentials(others.client(), papers.authority));
    CHECK_THAT(refused(strict, alien, "localhost"), ContainsSubstring("not signed by"));
}

TEST_CASE("what begins as no TLS is told apart", "[tls]") {
    Papers papers;
    const platform::TlsContext server(platform::TlsSide::server, credentials(papers.server(), {}));
    const platform::TlsContext client(platform::TlsSide::client, credentials({}, papers.authority));
    const std::string text("\0\0\0\x20#CHALLENGE#", 15);
    CHECK_THROWS_AS(client.open("localhost")->add(std::as_bytes(std::span(text))), mp::AuthenticationError);
    CHECK_THROWS_AS(server.open({})->add(std::as_bytes(std::span(text))), mp::AuthenticationError);
    const auto broken = server.open({});
    const std::string record("\x16\x03\x01\x00\x04garb", 9);
    broken->add(std::as_bytes(std::span(record)));
    CHECK_THROWS_AS(broken->advance(), mp::AuthenticationError);
}
#endif
