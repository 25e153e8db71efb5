// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/connection/handshake.hpp>

#include <deque>
#include <span>
#include <string>

namespace mp = multiprocessing;
using mp::detail::Handshake;
using mp::detail::HandshakeFrames;
using mp::detail::platform::keyed_digest;
using Side = Handshake::Side;

namespace {

std::string unhex(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

std::string counting(unsigned count) {
    std::string bytes;
    for (unsigned i = 0; i < count; ++i) bytes += static_cast<char>(i);
    return bytes;
}

/// Lets two sides talk until neither has anything to say; throws what the side throws that fails first.
void talk(Handshake& listener, Handshake& client) {
    std::deque<std::string> to_client;
    std::deque<std::string> to_listener;
    const auto put = [](std::deque<std::string>& queue, const std::vector<std::string>& messages) {
        queue.insert(queue.end(), messages.begin(), messages.end());
    };
    put(to_client, listener.begin());
    put(to_listener, client.begin());
    while (!to_client.empty() || !to_listener.empty()) {
        auto& queue = to_client.empty() ? to_listener : to_client;
        const std::string message = queue.front();
        queue.pop_front();
        if (&queue == &to_client) {
            put(to_listener, client.receive(message));
        } else {
            put(to_client, listener.receive(message));
        }
    }
}

} // namespace

TEST_CASE("digests are those of CPython", "[handshake]") {
    const std::string modern = "{sha256}" + counting(40);
    CHECK(keyed_digest("sha256", "secret", modern) ==
          unhex("fc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989"));
    CHECK(keyed_digest("md5", "secret", counting(20)) == unhex("7defa9cc46abc3583325d17ccda75190"));
    CHECK(keyed_digest("sha384", "", "").size() == 48);
    CHECK(keyed_digest("rot13", "secret", "text").empty());
}

TEST_CASE("two sides with one key agree, whatever the key", "[handshake]") {
    for (const std::string& key :
         {std::string("secret"), std::string(), std::string("a\0b", 3), std::string(1000, 'k')}) {
        Handshake listener(Side::listener, key, false);
        Handshake client(Side::client, key, false);
        talk(listener, client);
        CHECK(listener.done());
        CHECK(client.done());
        CHECK_THROWS_AS(listener.receive("#WELCOME#"), mp::AuthenticationError);
    }
}

TEST_CASE("another key is rejected, and the other side told", "[handshake]") {
    Handshake listener(Side::listener, "one", false);
    Handshake client(Side::client, "two", false);
    CHECK_THROWS_AS(talk(listener, client), mp::AuthenticationError);
    CHECK_FALSE(listener.done());
    CHECK(listener.farewell() == "#FAILURE#");
    CHECK_THROWS_AS(client.receive("#FAILURE#"), mp::AuthenticationError);
    CHECK(client.farewell().empty());
}

TEST_CASE("a client also rejects a listener that does not know the key", "[handshake]") {
    Handshake client(Side::client, "key", false);
    CHECK(client.begin().empty());
    CHECK(client.receive("#CHALLENGE#{sha256}" + std::string(40, 'x')).at(0).starts_with("{sha256}"));
    CHECK(client.receive("#WELCOME#").at(0).starts_with("#CHALLENGE#{sha256}"));
    CHECK_THROWS_AS(client.receive("{sha256}" + std::string(32, 'x')), mp::AuthenticationError);
    CHECK(client.farewell() == "#FAILURE#");
}

TEST_CASE("a challenge cannot be answered by itself", "[handshake]") {
    Handshake listener(Side::listener, "key", false);
    const std::string challenge = listener.begin().at(0);
    CHECK_THROWS_AS(listener.receive(challenge), mp::AuthenticationError);
}

TEST_CASE("a challenge of the own side is not answered, whoever hands it on", "[handshake]") {
    // Somebody without the key listens, and two clients connect: he asks the second what the first has asked.
    Handshake first(Side::client, "key", false);
    first.receive("#CHALLENGE#{sha256}" + std::string(40, 'x'));
    const std::string asked = first.receive("#WELCOME#").at(0);
    Handshake second(Side::client, "key", false);
    CHECK_THROWS_AS(second.receive(asked), mp::AuthenticationError);
    // The same where he connects to two listeners. (He would have to know the key to get there.)
    Handshake listener(Side::listener, "key", false);
    const std::string of_listener = listener.begin().at(0);
    Handshake client(Side::client, "key", false);
    listener.receive(client.receive(of_listener).at(0));
    CHECK_THROWS_AS(listener.receive(Handshake(Side::listener, "key", false).begin().at(0)),
                    mp::AuthenticationError);
    // That of the other side is answered, and one of CPython's, in which nothing says who asks.
    Handshake third(Side::client, "key", false);
    CHECK_NOTHROW(third.receive(of_listener));
    Handshake fourth(Side::client, "key", false);
    CHECK_NOTHROW(fourth.receive("#CHALLENGE#{sha256}" + counting(40)));
}

TEST_CASE("MD5 is used when asked for only", "[handshake]") {
    const std::string old_challenge = "#CHALLENGE#" + counting(20);
    Handshake strict(Side::client, "secret", false);
    try {
        strict.receive(old_challenge);
        FAIL("nothing was thrown");
    } catch (const mp::AuthenticationError& error) { CHECK_THAT(error.what(), ContainsSubstring("allow_md5")); }
    CHECK_THROWS_AS(Handshake(Side::client, "secret", false).receive("#CHALLENGE#{md5}" + counting(40)),
                    mp::AuthenticationError);
    Handshake lenient(Side::client, "secret", true);
    CHECK(lenient.receive(old_challenge).at(0) == unhex("7defa9cc46abc3583325d17ccda75190"));

    for (const bool allowed : {false, true}) {
        Handshake listener(Side::listener, "secret", allowed);
        const std::string challenge = listener.begin().at(0).substr(11);
        const std::string raw = keyed_digest("md5", "secret", challenge); // as Python 3.11 answers
        if (allowed) {
            CHECK(listener.receive(raw).at(0) == "#WELCOME#");
        } else {
            CHECK_THROWS_AS(listener.receive(raw), mp::AuthenticationError);
        }
    }
}

TEST_CASE("any digest that is in use may be chosen for the answer", "[handshake]") {
    for (const std::string name : {"sha256", "sha384", "sha3_256", "sha3_384"}) {
        if (keyed_digest(name, "k", "m").empty()) continue; // SHA-3 is not everywhere
        Handshake listener(Side::listener, "k", false);
        const std::string challenge = listener.begin().at(0).substr(11);
        CHECK(listener.receive("{" + name + "}" + keyed_digest(name, "k", challenge)).at(0) == "#WELCOME#");
    }
}

TEST_CASE("what is no message of a handshake is refused", "[handshake]") {
    for (const std::string message : {"", "#WELCOME#", "#CHALLENGE#", "#CHALLENGE#short",
                                      "#CHALLENGE#{rot13}"
                                      "0123456789012345678901234567",
                                      "#CHALLENGE#{sha256"
                                      "0123456789012345678901234567",
                                      "GET / HTTP/1.1"})
        CHECK_THROWS_AS(Handshake(Side::client, "k", true).receive(message), mp::AuthenticationError);
    for (const std::string message : {"", "{sha256}", "{sha256}short", "{}", "{", "}", "#WELCOME#"}) {
        Handshake listener(Side::listener, "k", true);
        listener.begin();
        CHECK_THROWS_AS(listener.receive(message), mp::AuthenticationError);
    }
}

TEST_CASE("frames of a handshake come in any pieces, and are short", "[handshake]") {
    const std::string bytes = std::string("\0\0\0\3abc\0\0\0\0\0\0\0\1z", 16);
    for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
        HandshakeFrames frames;
        std::vector<std::string> seen;
        std::string_view left = bytes;
        while (!left.empty()) {
            const std::size_t size = (std::min)({piece, left.size(), frames.wanted()});
            REQUIRE(size > 0);
            if (frames.add(std::as_bytes(std::span(left.substr(0, size))))) seen.push_back(frames.pop());
            left.remove_prefix(size);
        }
        CHECK(seen == std::vector<std::string>{"abc", "", "z"});
    }
    for (const std::string& head :
         {std::string("\0\0\1\1", 4), std::string("GET "), std::string("\xff\xff\xff\xff")})
        CHECK_THROWS_AS(HandshakeFrames().add(std::as_bytes(std::span(head))), mp::AuthenticationError);
}
