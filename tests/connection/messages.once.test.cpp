// SPDX-License-Identifier: BSL-1.0
#include <connection/support.hpp>
#include <support/allocations.hpp>
#include <support/sanitizers.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace connection;

namespace {

struct Point {
    int x;
    int y;
    bool operator==(const Point&) const = default;
};

} // namespace

TEST_CASE("values go both ways, typed", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.send(42);
    a.send("text");
    a.send(std::string("string"));
    a.send(Point{1, 2});
    a.send(std::map<std::string, std::vector<double>>{{"x", {1.5}}});
    a.send(std::make_unique<int>(7));
    CHECK(b.recv<int>() == 42);
    CHECK(b.recv<std::string>() == "text");
    CHECK(b.recv<std::string>() == "string");
    CHECK(b.recv<Point>() == Point{1, 2});
    CHECK(b.recv<std::map<std::string, std::vector<double>>>().at("x").at(0) == 1.5);
    CHECK(*b.recv<std::unique_ptr<int>>() == 7);
    b.send(1.5);
    CHECK(a.recv<double>() == 1.5);
}

TEST_CASE("a message of another type is an error, and used up", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.send(42);
    a.send(43);
    CHECK_THROWS_AS(b.recv<unsigned>(), mp::SerializationError);
    CHECK(b.recv<int>() == 43);
    a.send_bytes(bytes_of("no archive"));
    a.send(44);
    CHECK_THROWS_AS(b.recv<int>(), mp::SerializationError);
    CHECK(b.recv<int>() == 44);
}

TEST_CASE("bytes arrive message by message, empty ones too", "[connection]") {
    auto [a, b] = mp::Pipe();
    for (const std::string text : {"", "abc", "", "x"}) a.send_bytes(bytes_of(text));
    for (const std::string text : {"", "abc", "", "x"}) CHECK(b.recv_bytes() == bytes_of(text));
}

TEST_CASE("memory of Pipes that are gone is used again, whatever was left in them", "[connection]") {
    const mp::detail::Space& space = mp::detail::tree().space;
    std::uint64_t before = 0;
    for (int i = 0; i < 100; ++i) {
        if (i == 10) before = space.high_water();
        auto [a, b] = mp::Pipe();
        a.send_bytes(std::vector<std::byte>(300'000));
        b.send(i);
    }
    CHECK(space.high_water() == before);
}

TEST_CASE("a Pipe that is not duplex goes from the second to the first", "[connection]") {
    auto [receiver, sender] = mp::Pipe(false);
    CHECK(receiver.readable());
    CHECK_FALSE(receiver.writable());
    CHECK_FALSE(sender.readable());
    CHECK(sender.writable());
    sender.send(5);
    CHECK(receiver.recv<int>() == 5);
    CHECK(error_of([&] { receiver.send(1); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { sender.recv<int>(); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { sender.poll(); }) == std::errc::bad_file_descriptor);
    sender.close();
    CHECK_THROWS_AS(receiver.recv<int>(), mp::EOFError);
}

TEST_CASE("a closed Connection says so, and may be closed again", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.close();
    a.close();
    CHECK(a.closed());
    CHECK_FALSE(a.readable());
    CHECK_FALSE(a.writable());
    CHECK(error_of([&] { a.send(1); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { a.recv_bytes(); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { static_cast<void>(a.fileno()); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { static_cast<void>(a.dup()); }) == std::errc::bad_file_descriptor);
    CHECK(error_of([&] { mp::connection::wait({a}); }) == std::errc::bad_file_descriptor);
    const auto moved = std::move(b);
    CHECK(b.closed());
    CHECK_FALSE(moved.closed());
}

TEST_CASE("what was sent before the end is received, then the end is seen", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.send(1);
    b.send(2); // never received
    a.close();
    CHECK(b.poll());
    CHECK(b.recv<int>() == 1);
    CHECK(b.poll()); // at end of file, too
    CHECK(b.poll(-1s));
    CHECK_THROWS_AS(b.recv<int>(), mp::EOFError);
    CHECK_THROWS_AS(b.recv_bytes(), mp::EOFError);
    CHECK(error_of([&] { b.send(1); }) == std::errc::broken_pipe);
    CHECK(error_of([&] { b.send_bytes(std::vector<std::byte>(1'000'000)); }) == std::errc::broken_pipe);
}

TEST_CASE("the first send to a closed peer is an error, whether the Pipe was used or not", "[connection]") {
    for (const bool duplex : {true, false}) {
        auto [receiver, sender] = mp::Pipe(duplex);
        receiver.close();
        CHECK(error_of([&s = sender] { s.send(1); }) == std::errc::broken_pipe);
        CHECK(error_of([&s = sender] { s.send_bytes({}); }) == std::errc::broken_pipe);
    }
    auto [a, b] = mp::Pipe();
    a.send(1);
    CHECK(b.recv<int>() == 1);
    b.close();
    CHECK(error_of([&a = a] { a.send(2); }) == std::errc::broken_pipe);
    auto [c, d] = mp::Pipe();
    auto e = d.dup();
    d.close();
    c.send(3);
    CHECK(e.recv<int>() == 3);
    e.close();
    CHECK(error_of([&c = c] { c.send(4); }) == std::errc::broken_pipe);
}

TEST_CASE("poll waits for as long as it is told", "[connection]") {
    auto [a, b] = mp::Pipe();
    CHECK_FALSE(b.poll());
    CHECK_FALSE(b.poll(-1s));
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(b.poll(50ms));
    CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    std::thread sender([&a = a] {
        std::this_thread::sleep_for(20ms);
        a.send(1);
    });
    CHECK(b.poll(mp::no_timeout));
    sender.join();
    CHECK(b.recv<int>() == 1);
}

TEST_CASE("a message that is too long makes the Connection unreadable", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.send_bytes(bytes_of("12345"));
    a.send_bytes(bytes_of("12345678"));
    CHECK(b.recv_bytes(5) == bytes_of("12345"));
    CHECK(error_of([&] { b.recv_bytes(7); }) == std::errc::message_size);
    CHECK_FALSE(b.readable());
    CHECK(b.writable());
    CHECK(error_of([&] { b.recv_bytes(); }) == std::errc::bad_file_descriptor);
    b.send(1);
    CHECK(a.recv<int>() == 1);

    auto [receiver, sender] = mp::Pipe(false);
    sender.send_bytes(bytes_of("123"));
    CHECK(error_of([&] { receiver.recv_bytes(2); }) == std::errc::message_size);
    CHECK(receiver.closed());
}

TEST_CASE("recv_bytes_into fills a buffer, and hands out what is longer", "[connection]") {
    auto [a, b] = mp::Pipe();
    std::vector<std::byte> buffer(5);
    a.send_bytes(bytes_of("123"));
    CHECK(b.recv_bytes_into(buffer) == 3);
    CHECK(std::memcmp(buffer.data(), "123", 3) == 0);
    a.send_bytes(bytes_of("123456"));
    a.send_bytes(bytes_of("54321"));
    try {
        b.recv_bytes_into(buffer);
        FAIL("nothing was thrown");
    } catch (const mp::BufferTooShort& error) { CHECK(error.message() == bytes_of("123456")); }
    CHECK(b.recv_bytes_into(buffer) == 5);
    CHECK(std::memcmp(buffer.data(), "54321", 5) == 0);
    a.send_bytes({});
    CHECK(b.recv_bytes_into({}) == 0);
}

TEST_CASE("large messages arrive whole", "[connection]") {
    auto [a, b] = mp::Pipe();
    std::vector<int> numbers(5'000'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i * 7);
    std::thread sender([&a = a, &numbers] { a.send(numbers); });
    CHECK(b.recv<std::vector<int>>() == numbers);
    sender.join();
}

TEST_CASE("two ends that both send more than the system holds do not wait for each other", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    const std::vector<std::byte> much(8'000'000, std::byte{1});
    const std::vector<std::byte> more(9'000'000, std::byte{2});
    std::thread other([&verdict, &b = b, &more, &much] {
        b.send_bytes(more);
        b.send(17);
        verdict.expect(b.recv_bytes() == much);
    });
    a.send_bytes(much);
    CHECK(a.poll(mp::no_timeout));
    CHECK(mp::connection::wait({a}, 0s).size() == 1); // what was taken in counts as there
    CHECK(a.recv_bytes() == more);
    CHECK(a.recv<int>() == 17);
    other.join();
    CHECK_FALSE(a.poll());
    CHECK(verdict.wrong() == 0);
}

TEST_CASE("two ends that both send many messages first do not wait for each other", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    const bool by_stream = GENERATE(false, true);
    if (by_stream) static_cast<void>(a.fileno());
    const auto talk = [&](mp::Connection& c, std::byte mine, std::byte others) {
        for (int i = 0; i < 30; ++i) c.send_bytes(std::vector<std::byte>(500'000, mine));
        for (int i = 0; i < 30; ++i) verdict.expect(c.recv_bytes() == std::vector<std::byte>(500'000, others));
    };
    std::thread other([&, &b = b] { talk(b, std::byte{1}, std::byte{2}); });
    talk(a, std::byte{2}, std::byte{1});
    other.join();
    CHECK(verdict.wrong() == 0);
}

TEST_CASE("one thread sends much while another one receives", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    const std::vector<std::byte> much(3'000'000, std::byte{1});
    const auto talk = [&](mp::Connection& c) {
        std::thread receiver([&] {
            for (int i = 0; i < 5; ++i) verdict.expect(c.recv_bytes() == much);
        });
        for (int i = 0; i < 5; ++i) c.send_bytes(much);
        receiver.join();
    };
    std::thread other([&, &b = b] { talk(b); });
    talk(a);
    other.join();
    CHECK(verdict.wrong() == 0);
}

TEST_CASE("messages of several threads stay whole", "[connection]") {
    auto [a, b] = mp::Pipe();
    std::vector<std::thread> senders;
    for (int t = 0; t < 4; ++t) {
        senders.emplace_back([&a = a, t] {
            for (int i = 0; i < 200; ++i) a.send(std::vector<int>(static_cast<std::size_t>(1 + i * 10), t));
        });
    }
    std::vector<int> seen(4);
    for (int i = 0; i < 800; ++i) {
        const auto got = b.recv<std::vector<int>>();
        CHECK(std::all_of(got.begin(), got.end(), [&](int x) { return x == got[0]; }));
        CHECK(got.size() == static_cast<std::size_t>(1 + seen.at(static_cast<std::size_t>(got[0]))++ * 10));
    }
    for (auto& sender : senders) sender.join();
}

#if !defined(MP_TEST_HAS_ASAN)
TEST_CASE("a message that there is no memory for spoils no other", "[connection]") {
    auto [a, b] = mp::Pipe();
    const bool by_stream = GENERATE(false, true);
    if (by_stream) static_cast<void>(a.fileno());
    const std::string large(500'000, 'x');
    std::thread sender([&a = a, &large] {
        a.send(large);
        a.send(7);
        a.send(std::vector<std::string>(1000, "a text of some length"));
        a.send(8);
    });
    {
        const support::LittleMemory little{100'000};
        CHECK_THROWS_AS(b.recv<std::string>(), std::bad_alloc);
    }
    if (!by_stream) CHECK(b.recv<std::string>() == large); // a stream's message is used up
    CHECK(b.recv<int>() == 7);
    {
        const support::LittleMemory little{10'000};
        CHECK_THROWS_AS(b.recv<std::vector<std::string>>(), std::bad_alloc);
    }
    if (!by_stream) CHECK(b.recv<std::vector<std::string>>().size() == 1000);
    CHECK(b.recv<int>() == 8);
    sender.join();
}
#endif

TEST_CASE("duplicates are one end", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto copy = a.dup();
    a.close();
    copy.send(1);
    CHECK(b.recv<int>() == 1);
    copy.close();
    CHECK_THROWS_AS(b.recv<int>(), mp::EOFError);
}

TEST_CASE("who sends faster than is received waits", "[connection]") {
    auto [a, b] = mp::Pipe(false);
    std::atomic<int> sent{0};
    const std::vector<std::byte> message(1'000'000, std::byte{7});
    std::thread sender([&, &b = b] {
        for (; sent < 50; ++sent) b.send_bytes(message);
    });
    REQUIRE(a.poll(mp::no_timeout));
    std::this_thread::sleep_for(100ms);
    CHECK(sent < 20);
    for (int i = 0; i < 50; ++i) CHECK(a.recv_bytes() == message);
    sender.join();
}

TEST_CASE("what was received leaves nothing to poll", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    std::thread other([&verdict, &b = b] {
        for (int i = 0; i < 300; ++i) {
            b.send(i);
            verdict.expect(b.recv<int>() == i);
        }
    });
    for (int i = 0; i < 300; ++i) {
        if (i % 3 == 0) CHECK(mp::connection::wait({a}).size() == 1);
        if (i % 3 == 1) CHECK(a.poll(mp::no_timeout));
        CHECK(a.recv<int>() == i);
        CHECK_FALSE(a.poll());
        if (i % 10 == 0) CHECK(mp::connection::wait({a}, 1ms).empty());
        a.send(i);
    }
    other.join();
    CHECK(verdict.wrong() == 0);
}

static_assert(std::is_same_v<mp::Connection, mp::connection::Connection>);
