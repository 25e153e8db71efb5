// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/few_files.hpp>
#include <support/many_files.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/listener.hpp>
#include <multiprocessing/process.hpp>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::connection::Address;
using mp::connection::Client;
using mp::connection::Listener;

namespace {

/// The addresses to try: a path, and TCP.
std::vector<Address> addresses() { return {Address{}, Address{"127.0.0.1", 0}}; }

/// One where many may wait to be accepted: not a pipe of Windows.
Address crowded() {
#if defined(_WIN32)
    return {"127.0.0.1", 0};
#else
    return {};
#endif
}

/// What a Client throws, or "" if it connects.
std::string refusal(const Address& address, mp::connection::ClientOptions options) {
    try {
        static_cast<void>(Client(address, std::move(options)));
    } catch (const mp::AuthenticationError& error) { return error.what(); }
    return "";
}

/// A connection that has not said anything yet.
mp::detail::platform::Stream knock(const Address& address) {
    mp::detail::platform::Endpoint endpoint{address.path(), address.host(),
                                            address.path().empty() ? address.port() : -1};
    return mp::detail::platform::Stream(
        mp::detail::platform::connect(endpoint, mp::detail::Deadline::after(20s)));
}

void say(mp::detail::platform::Stream& stream, const std::string& text) {
    stream.write_all(std::as_bytes(std::span(text)), {}, {}, nullptr);
}

/// The first that knows the key, and how many were refused before.
std::pair<mp::Connection, int> accept_the_honest(Listener& listener) {
    for (int refused = 0;; ++refused) {
        try {
            return {listener.accept(), refused};
        } catch (const mp::AuthenticationError&) {}
    }
}

} // namespace

TEST_CASE("a Client connects to a Listener, with a key and without", "[listener]") {
    for (const Address& address : addresses()) {
        for (const auto& key : {std::optional<std::string>(), std::optional<std::string>("secret")}) {
            Listener listener({.address = address, .authkey = key});
            CHECK_FALSE(listener.last_accepted().has_value());
            auto connected =
                std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = key}); });
            mp::Connection here = listener.accept();
            mp::Connection there = connected.get();
            CHECK(listener.last_accepted().has_value());
            here.send(std::string("to the client"));
            there.send(42);
            there.send_bytes({});
            CHECK(there.recv<std::string>() == "to the client");
            CHECK(here.recv<int>() == 42);
            CHECK(here.recv_bytes().empty());
            there.close();
            CHECK(here.poll());
            CHECK_THROWS_AS(here.recv<int>(), mp::EOFError);
        }
    }
}

TEST_CASE("a wrong key is an error on both sides, and the Listener goes on", "[listener]") {
    for (const Address& address : addresses()) {
        Listener listener({.address = address, .authkey = "right"});
        auto refused =
            std::async(std::launch::async, [&] { return refusal(listener.address(), {.authkey = "wrong"}); });
        CHECK_THROWS_AS(listener.accept(), mp::AuthenticationError);
        CHECK_THAT(refused.get(), ContainsSubstring("another key"));
        auto connected =
            std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = "right"}); });
        auto here = listener.accept();
        here.send(1);
        CHECK(connected.get().recv<int>() == 1);
    }
}

TEST_CASE("a message that is larger than what the system holds waits for a reader that is late", "[listener]") {
    constexpr std::size_t size = std::size_t{20} << 20;
    for (const Address& address : addresses()) {
        Listener listener({.address = address, .authkey = "key"});
        auto sent = std::async(std::launch::async, [at = listener.address()] {
            auto client = Client(at, {.authkey = "key"});
            client.send_bytes(std::vector<std::byte>(size));
            return client.recv_bytes().size();
        });
        auto connection = listener.accept();
        std::this_thread::sleep_for(200ms);
        CHECK(connection.recv_bytes().size() == size);
        connection.send_bytes(std::vector<std::byte>(size / 2));
        CHECK(sent.get() == size / 2);
    }
}

TEST_CASE("who is silent, slow, or talks nonsense holds up nobody", "[listener]") {
    for (const Address& address : {crowded(), Address("127.0.0.1", 0)}) {
        Listener listener({.address = address, .authkey = "key"});
        auto silent = knock(listener.address());
        auto slow = knock(listener.address());
        say(slow, std::string("\0\0", 2));
        auto rude = knock(listener.address());
        say(rude, "GET / HTTP/1.1\r\n\r\n");
        auto greedy = knock(listener.address());
        say(greedy, std::string("\xff\xff\xff\xff\x10\0\0\0\0\0\0\0", 12));
        auto connected =
            std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = "key"}); });
        int refused = 0;
        std::optional<mp::Connection> here;
        while (!here) {
            try {
                here = listener.accept();
            } catch (const mp::AuthenticationError&) { ++refused; }
        }
        CHECK(refused <= 2);
        here->send(1);
        CHECK(connected.get().recv<int>() == 1);
    }
}

TEST_CASE("who does not answer in time is told off", "[listener]") {
    for (const Address& address : addresses()) {
        Listener listener({.address = address, .authkey = "key", .timeout = 50ms});
        auto silent = knock(listener.address());
        try {
            static_cast<void>(listener.accept());
            FAIL("nothing was thrown");
        } catch (const mp::AuthenticationError& error) {
            CHECK_THAT(error.what(), ContainsSubstring("in time"));
        }
        auto gone = std::make_unique<mp::detail::platform::Stream>(knock(listener.address()));
        gone.reset();
        CHECK_THROWS_AS(listener.accept(), mp::AuthenticationError);
    }
}

TEST_CASE("a Client does not wait for ever for a Listener that asks for nothing", "[listener]") {
    Listener listener; // has no key, so it says nothing
    auto refused = std::async(std::launch::async,
                              [&] { return refusal(listener.address(), {.authkey = "key", .timeout = 50ms}); });
    auto here = listener.accept();
    CHECK_THAT(refused.get(), ContainsSubstring("in time"));
}

TEST_CASE("accept waits for as long as it is told", "[listener]") {
    Listener listener({.authkey = "key"});
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(listener.accept(30ms), mp::TimeoutError);
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    CHECK_THROWS_AS(listener.accept(-1s), mp::TimeoutError);
}

TEST_CASE("many that are silent leave room for one that is not", "[listener]") {
    // No time is over here, however slow the machine.
    Listener listener({.address = crowded(), .authkey = "key", .backlog = 400, .timeout = mp::no_timeout});
    std::vector<mp::detail::platform::Stream> silent;
    for (int i = 0; i < 300; ++i) silent.push_back(knock(listener.address()));
    auto connected = std::async(std::launch::async, [&] {
        return Client(listener.address(), {.authkey = "key", .timeout = mp::no_timeout});
    });
    auto [here, refused] = accept_the_honest(listener);
    CHECK(refused >= 44); // no more than 256 at a time
    here.send(1);
    CHECK(connected.get().recv<int>() == 1);
}

TEST_CASE("wait reports a Listener while a client waits to be accepted", "[listener]") {
    const Address address = GENERATE(from_range(addresses()));
    const auto key = GENERATE(std::optional<std::string>(), std::optional<std::string>("secret"));
    Listener listener({.address = address, .authkey = key});
    CHECK(mp::connection::wait({listener}, 0s).empty());
    const auto begin = std::chrono::steady_clock::now();
    CHECK(mp::connection::wait({listener}, 30ms).empty());
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    auto connected =
        std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = key}); });
    const auto ready = mp::connection::wait({listener});
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == listener);
    auto here = listener.accept();
    here.send(1);
    CHECK(connected.get().recv<int>() == 1);
    CHECK(mp::connection::wait({listener}, 0s).empty());
}

TEST_CASE("wait takes Listeners, Connections and a Sentinel in one call", "[listener]") {
    std::vector<Listener> listeners;
    for (const Address& address : addresses()) listeners.push_back(Listener({.address = address}));
    auto [a, b] = mp::Pipe();
    mp::Process child([] {});
    child.start();
    child.join();
    std::vector<mp::connection::Waitable> all{a, listeners[0], child.sentinel(), listeners[1]};
    CHECK(mp::connection::wait(all) == std::vector{all[2]});
    const mp::Connection first = Client(listeners[1].address());
    all.erase(all.begin() + 2);
    CHECK(mp::connection::wait(all) == std::vector{all[2]});
    b.send(1);
    const mp::Connection second = Client(listeners[0].address());
    CHECK(mp::connection::wait(all) == all);
    const Listener moved = std::move(listeners[0]);
    CHECK(mp::connection::wait({moved}, 0s) == std::vector{all[1]});
    CHECK(mp::connection::wait(std::vector<mp::connection::Waitable>{moved, listeners[1]}, 0s).size() == 2);
}

#if !defined(_WIN32)
namespace {
/// Waits in wait() only, as a program does that waits for many things.
mp::Connection accept_when_ready(Listener& listener) {
    for (;;) {
        if (mp::connection::wait({listener}, 20s).empty())
            throw std::runtime_error("the Listener was never ready");
        try {
            return listener.accept(0s);
        } catch (const mp::TimeoutError&) {} // the handshake goes on
    }
}
} // namespace

TEST_CASE("wait reports a Listener when a client answers that accept had no time for", "[listener]") {
    Listener listener({.address = GENERATE(from_range(addresses())), .authkey = "key"});
    auto rude = knock(listener.address());
    CHECK(mp::connection::wait({listener}, 20s).size() == 1);
    CHECK_THROWS_AS(listener.accept(0s), mp::TimeoutError);
    CHECK(mp::connection::wait({listener}, 10ms).empty()); // silent until now
    say(rude, std::string("\0\0\0\4rude", 8));
    CHECK_THROWS_AS(accept_when_ready(listener), mp::AuthenticationError);
    CHECK(mp::connection::wait({listener}, 0s).empty());

    auto connected =
        std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = "key"}); });
    mp::Connection here = accept_when_ready(listener);
    mp::Connection there = connected.get();
    there.send(1);
    CHECK(here.poll(20s));
    CHECK(mp::connection::wait({listener}, 0s).empty()); // the message is not the Listener's
    CHECK(here.recv<int>() == 1);
}

TEST_CASE("wait reports a Listener whose client left during the handshake", "[listener]") {
    Listener listener({.address = GENERATE(from_range(addresses())), .authkey = "key"});
    {
        auto gone = knock(listener.address());
        CHECK_THROWS_AS(listener.accept(0s), mp::TimeoutError);
        CHECK(mp::connection::wait({listener}, 0s).empty());
    }
    REQUIRE(mp::connection::wait({listener}, 20s).size() == 1);
    CHECK_THROWS_AS(listener.accept(0s), mp::AuthenticationError);
    CHECK(mp::connection::wait({listener}, 0s).empty());
}
#endif

TEST_CASE("wait refuses a Listener that is closed, and one that is gone before", "[listener]") {
    Listener listener;
    auto [a, b] = mp::Pipe();
    listener.close();
    try {
        static_cast<void>(mp::connection::wait({a, listener}, 0s));
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::bad_file_descriptor);
        CHECK_THAT(error.what(), ContainsSubstring("closed"));
    }
    STATIC_REQUIRE(std::is_convertible_v<const Listener&, mp::connection::Waitable>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<Listener, mp::connection::Waitable>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<const Listener, mp::connection::Waitable>);
}

TEST_CASE("a closed Listener says so, and nobody finds it", "[listener]") {
    Listener listener;
    const Address address = listener.address();
    listener.close();
    listener.close();
    CHECK_THROWS_AS(listener.accept(), std::system_error);
    CHECK_THROWS_AS(listener.address(), std::system_error);
    CHECK_THROWS_AS(Client(address), std::system_error);
}

TEST_CASE("closing a Listener ends those who accept, and frees its address", "[listener]") {
    const Address wanted = GENERATE(from_range(addresses()));
    const int accepting = GENERATE(1, 3);
    Listener listener({.address = wanted});
    const Address address = listener.address();
    std::vector<std::future<std::error_code>> ends;
    for (int i = 0; i < accepting; ++i) {
        ends.push_back(std::async(std::launch::async, [&] {
            try {
                listener.accept();
            } catch (const std::system_error& error) { return error.code(); }
            return std::error_code{};
        }));
    }
    std::this_thread::sleep_for(20ms);     // they wait, or will: both must work
    CHECK_FALSE(listener.last_accepted()); // waits for nobody
    CHECK(listener.address() == address);
    std::thread twice([&] { listener.close(); });
    listener.close();
    twice.join();
    CHECK_THROWS_AS(Client(address), std::system_error);
    if (address.path().empty()) CHECK(Listener({.address = address}).address() == address); // at once
    for (auto& end : ends) CHECK(end.get() == std::errc::bad_file_descriptor);
}

TEST_CASE("who accepts beside another one waits no longer than it is told", "[listener]") {
    Listener listener;
    auto other = std::async(std::launch::async, [&] {
        try {
            listener.accept();
        } catch (const std::system_error& error) { return error.code(); }
        return std::error_code{};
    });
    CHECK_THROWS_AS(listener.accept(20ms), mp::TimeoutError);
    CHECK_THROWS_AS(listener.accept(0ms), mp::TimeoutError);
    listener.close();
    CHECK(other.get() == std::errc::bad_file_descriptor);
}

TEST_CASE("several threads accept, each its own connection", "[listener]") {
    Listener listener({.address = crowded(), .authkey = "key"});
    std::vector<std::thread> threads;
    std::atomic<int> sum{0};
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 5; ++n) sum += listener.accept().recv<int>();
        });
    }
    for (int i = 0; i < 15; ++i) {
        auto client = Client(listener.address(), {.authkey = "key"});
        client.send(1);
        static_cast<void>(listener.last_accepted());
    }
    for (auto& thread : threads) thread.join();
    CHECK(sum == 15);
}

TEST_CASE("an Address compares, crosses, and knows what it is", "[listener]") {
    const Address path("/tmp/x");
    const Address network("example.org", 80);
    CHECK(path.path() == "/tmp/x");
    CHECK(path.port() == 0);
    CHECK(network.host() == "example.org");
    CHECK(network.port() == 80);
    CHECK(network.path().empty());
    CHECK(path != network);
    CHECK(mp::loads<Address>(mp::dumps(network)) == network);
    CHECK_THROWS_AS(Address("host", -1), std::invalid_argument);
    CHECK_THROWS_AS(Address("host", 65'536), std::invalid_argument);
}

#if !defined(_WIN32)
TEST_CASE("ten thousand that never speak leave room for one that does", "[listener]") {
    const support::ManyFiles files;
    if (!files.allow(10'600)) return; // all of them are in this process
    Listener listener(
        {.address = {"127.0.0.1", 0}, .authkey = "key", .backlog = 1000, .timeout = mp::no_timeout});
    std::vector<mp::detail::platform::Stream> silent;
    auto connected = std::async(std::launch::async, [&] {
        for (int i = 0; i < 10'000; ++i) silent.push_back(knock(listener.address()));
        return Client(listener.address(), {.authkey = "key", .timeout = mp::no_timeout});
    });
    auto [here, refused] = accept_the_honest(listener);
    CHECK(refused >= 10'000 - 256);
    here.send(1);
    CHECK(connected.get().recv<int>() == 1);
}

TEST_CASE("of one that talks and does not listen only so much is taken in", "[listener]") {
    Listener listener;
    auto peer = knock(listener.address());
    auto here = listener.accept();
    constexpr std::size_t much = 8 << 20;
    std::thread sender([&] { here.send_bytes(std::vector<std::byte>(much)); });
    std::atomic<std::size_t> talked{0};
    std::thread talker([&] {
        const std::vector<std::byte> message(1 << 20);
        try {
            for (;; talked += message.size())
                peer.write_all(mp::detail::FrameHead(message.size()).bytes(), message, {}, nullptr);
        } catch (const std::system_error&) {} // nobody is there any more
    });
    for (std::size_t before = 0; before != talked || before < std::size_t{250} << 20;) { // it gets that far
        before = talked;
        std::this_thread::sleep_for(500ms);
    }
    CHECK(talked <= std::size_t{270} << 20);
    std::vector<std::byte> heard(1 << 16);
    mp::detail::platform::Arrived nothing;
    for (std::size_t read = 0; read < 4 + much;) read += *peer.read_some(heard, {}, nothing);
    sender.join();
    CHECK(here.recv_bytes().size() == 1 << 20);
    here.close();
    talker.join();
}

TEST_CASE("a Listener that can open no more makes room by sending the silent away", "[listener]") {
    if (support::has_asan) return; // what looks at objects' types there opens a pipe for that
    Listener listener({.authkey = "key", .backlog = 100});
    std::vector<mp::detail::platform::Stream> silent;
    for (int i = 0; i < 30; ++i) silent.push_back(knock(listener.address()));
    {
        const support::FewFiles few(10);
        for (int i = 0; i < 15; ++i) {
            try {
                static_cast<void>(listener.accept());
                FAIL("nothing was thrown");
            } catch (const mp::AuthenticationError& error) {
                CHECK_THAT(error.what(), ContainsSubstring("ulimit -n"));
            }
        }
    }
    {
        Listener open_to_all({.backlog = 100});
        auto waiting = knock(open_to_all.address());
        const support::FewFiles none(0);
        CHECK_THROWS_AS(open_to_all.accept(), std::system_error);
    }
    auto connected =
        std::async(std::launch::async, [&] { return Client(listener.address(), {.authkey = "key"}); });
    auto here = listener.accept();
    here.send(1);
    CHECK(connected.get().recv<int>() == 1);
}

TEST_CASE("a default address is in a folder of this user alone, and goes with the Listener", "[listener]") {
    namespace fs = std::filesystem;
    fs::path socket;
    {
        const Listener listener;
        socket = listener.address().path();
        CHECK(fs::exists(socket));
        CHECK(fs::status(socket.parent_path()).permissions() == fs::perms::owner_all);
    }
    CHECK_FALSE(fs::exists(socket));
    CHECK_FALSE(fs::exists(socket.parent_path()));
}

TEST_CASE("a path of the user's is made and removed, and a taken one is refused", "[listener]") {
    namespace fs = std::filesystem;
    const Listener in_folder;
    const fs::path path = fs::path(in_folder.address().path() + ".other");
    {
        const Listener listener({.address = path});
        CHECK(fs::exists(path));
        try {
            const Listener second({.address = path});
            FAIL("nothing was thrown");
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::address_in_use);
            CHECK_THAT(error.what(), ContainsSubstring("remove"));
        }
        CHECK(fs::exists(path)); // the second has not removed what is the first one's
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a name of the abstract kind is in no file system", "[listener]") {
    const std::string name =
        std::string("\0multiprocessing-test-", 22) + std::to_string(mp::detail::platform::current_pid());
    Listener listener({.address = name, .authkey = "k"});
    CHECK(listener.address().path() == name);
    auto connected = std::async(std::launch::async, [&] { return Client(name, {.authkey = "k"}); });
    auto here = listener.accept();
    connected.get().send(1);
    CHECK(here.recv<int>() == 1);
}

TEST_CASE("addresses that cannot be are refused before anything is made", "[listener]") {
    CHECK_THROWS_AS(Listener({.address = std::string(200, 'x')}), std::invalid_argument);
    CHECK_THROWS_AS(Listener({.address = R"(\\.\pipe\name)"}), std::invalid_argument);
    CHECK_THROWS_AS(Client("/nonexistent/socket"), std::system_error);
    CHECK_THROWS_AS(Listener({.address = "/nonexistent/socket"}), std::system_error);
}

TEST_CASE("Connections go over a local Listener's connections, not over a network", "[listener]") {
    for (const Address& address : addresses()) {
        Listener listener({.address = address});
        auto connected = std::async(std::launch::async, [&] { return Client(listener.address()); });
        auto here = listener.accept();
        auto there = connected.get();
        auto [a, b] = mp::Pipe();
        if (address.path().empty() && address.host().empty()) {
            here.send(std::move(a));
            there.recv<mp::Connection>().send(7);
            CHECK(b.recv<int>() == 7);
        } else {
            try {
                here.send(std::move(a));
                FAIL("nothing was thrown");
            } catch (const std::invalid_argument& error) {
                CHECK_THAT(error.what(), ContainsSubstring("network"));
            }
            CHECK_FALSE(a.closed());
        }
    }
}
#endif
