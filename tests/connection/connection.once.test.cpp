// SPDX-License-Identifier: BSL-1.0
#include <support/allocations.hpp>
#include <support/catch.hpp>
#include <support/few_files.hpp>
#include <support/raw_end.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/connection.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using support::RawEnd;

namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
    std::vector<std::byte> bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

/// The error that `call` throws; must be a std::system_error.
template <class Call>
std::error_code error_of(Call call) {
    try {
        call();
    } catch (const std::system_error& error) { return error.code(); }
    return {};
}

/// What other threads find; Catch's own checks are for the main thread only.
class Verdict {
public:
    void expect(bool right) { wrong_ += right ? 0 : 1; }
    int wrong() const { return wrong_; }

private:
    std::atomic<int> wrong_{0};
};

struct Point {
    int x;
    int y;
    bool operator==(const Point&) const = default;
};

struct Bundle {
    int number = 0;
    std::vector<mp::Connection> several;
    std::tuple<std::string, std::unique_ptr<mp::Connection>> named;
    std::optional<mp::Connection> maybe;
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

TEST_CASE("frames are those of CPython", "[connection]") {
    RawEnd raw;
    raw.connection->send_bytes(bytes_of("abc"));
    CHECK(raw.read(7) == std::vector{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{3}, std::byte{'a'},
                                     std::byte{'b'}, std::byte{'c'}});
    raw.write({0, 0, 0, 2, 'h', 'i', 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 'z'});
    CHECK(raw.connection->recv_bytes() == bytes_of("hi"));
    CHECK(raw.connection->recv_bytes().empty());
    CHECK(raw.connection->recv_bytes() == bytes_of("z"));
}

TEST_CASE("bells between messages are no messages", "[connection]") {
    constexpr bool has_bells = true;
    RawEnd raw(has_bells);
    raw.write({0x80, 0x80});
    CHECK_FALSE(raw.connection->poll());
    CHECK(mp::connection::wait({*raw.connection}, 1ms).empty());
    raw.write({0x80, 0, 0, 0, 2, 'h', 'i', 0x80, 0x80, 0x80, 0, 0, 0, 1, 0x80, 0x80});
    CHECK(raw.connection->recv_bytes() == bytes_of("hi"));
    CHECK(raw.connection->poll());
    CHECK(raw.connection->recv_bytes() == bytes_of("\x80"));
    raw.close();
    CHECK_THROWS_AS(raw.connection->recv_bytes(), mp::EOFError);
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

TEST_CASE("the head of a frame of more than 2 GiB is the long one", "[connection]") {
    const mp::detail::FrameHead long_head(0x8000'0000);
    const auto head = long_head.bytes();
    const std::vector<std::byte> seen(head.begin(), head.end());
    CHECK(seen == bytes_of(std::string("\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12)));
    CHECK(mp::detail::FrameHead(0x7fff'ffff).bytes().size() == 4);
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

TEST_CASE("a length that nothing follows takes no memory", "[connection]") {
    RawEnd raw;
    raw.write({0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3});
    raw.close();
    const std::size_t before = support::allocated_bytes();
    CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::connection_aborted);
    CHECK(support::allocated_bytes() - before < 3'000'000);

    RawEnd typed;
    typed.write({0x7f, 0xff, 0xff, 0xff, 1, 2, 3});
    typed.close();
    CHECK(error_of([&] { typed.connection->recv<int>(); }) == std::errc::connection_aborted);
    CHECK(support::allocated_bytes() - before < 6'000'000);

    RawEnd limited;
    limited.write({0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0});
    CHECK(error_of([&] { limited.connection->recv_bytes(1000); }) == std::errc::message_size);
    RawEnd buffered;
    buffered.write({0, 0, 0, 9, 1});
    buffered.close();
    std::vector<std::byte> buffer(20);
    CHECK(error_of([&] { buffered.connection->recv_bytes_into(buffer); }) == std::errc::connection_aborted);
}

TEST_CASE("the end within a message, and what is no message, are errors", "[connection]") {
    for (const auto& bytes : {std::initializer_list<unsigned>{0},
                              {0, 0, 0},
                              {0, 0, 0, 1},
                              {0, 0, 0, 5, 1, 2},
                              {0xff, 0xff, 0xff, 0xff},
                              {0xff, 0xff, 0xff, 0xff, 0, 0, 0}}) {
        RawEnd raw;
        raw.write(bytes);
        raw.close();
        CHECK(raw.connection->poll());
        CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::connection_aborted);
        CHECK_THROWS_AS(raw.connection->recv_bytes(), mp::EOFError);
    }
    RawEnd raw;
    raw.write({0x80, 0, 0, 0});
    CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::protocol_error);
}

TEST_CASE("a Connection is sent over a Connection, and closed here", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    a.send(std::move(c));
    CHECK(c.closed());
    {
        auto there = b.recv<mp::Connection>();
        there.send(5);
        CHECK(d.recv<int>() == 5);
        d.send(6);
        CHECK(there.recv<int>() == 6);
    }
    CHECK_THROWS_AS(d.recv<int>(), mp::EOFError); // nobody else has it
}

TEST_CASE("Connections travel inside of what is sent", "[connection]") {
    auto [a, b] = mp::Pipe();
    std::vector<mp::Connection> kept;
    Bundle bundle;
    bundle.number = 3;
    for (int i = 0; i < 3; ++i) {
        auto [c, d] = mp::Pipe();
        bundle.several.push_back(std::move(c));
        kept.push_back(std::move(d));
    }
    auto [e, f] = mp::Pipe(false);
    std::get<0>(bundle.named) = "sender";
    std::get<1>(bundle.named) = std::make_unique<mp::Connection>(std::move(f));
    bundle.maybe = kept[0].dup();
    a.send(std::move(bundle));
    a.send("next");
    auto got = b.recv<Bundle>();
    CHECK(got.number == 3);
    for (int i = 0; i < 3; ++i) {
        got.several.at(static_cast<std::size_t>(i)).send(i);
        CHECK(kept[static_cast<std::size_t>(i)].recv<int>() == i);
    }
    std::get<1>(got.named)->send(9);
    CHECK(e.recv<int>() == 9);
    CHECK_FALSE(std::get<1>(got.named)->readable());
    got.maybe->send(10);
    CHECK(got.several[0].recv<int>() == 10);
    CHECK(b.recv<std::string>() == "next");
}

TEST_CASE("handles of a message that is not taken are closed with it", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    a.send(std::move(c));
    a.send(1);
    CHECK_THROWS_AS(b.recv<int>(), mp::SerializationError);
    CHECK_THROWS_AS(d.recv<int>(), mp::EOFError);
    CHECK(b.recv<int>() == 1);

    auto [e, f] = mp::Pipe();
    a.send(std::move(e));
    static_cast<void>(b.recv_bytes());
    CHECK_THROWS_AS(f.recv<int>(), mp::EOFError);
}

TEST_CASE("Connections that were taken in while sending keep their messages", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    const std::vector<std::byte> much(3'000'000);
    std::thread other([&verdict, &b = b, &c = c, &d = d, &much] {
        b.send(std::move(c));
        b.send(std::move(d));
        b.send_bytes(much);
        verdict.expect(b.recv_bytes() == much);
    });
    a.send_bytes(much); // takes in what the other side sends
    auto first = a.recv<mp::Connection>();
    auto second = a.recv<mp::Connection>();
    CHECK(a.recv_bytes() == much);
    other.join();
    first.send(3);
    CHECK(second.recv<int>() == 3);
    CHECK(verdict.wrong() == 0);
}

TEST_CASE("what was taken in goes along when a Connection is handed over", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    const std::vector<std::byte> much(3'000'000);
    const std::vector<std::byte> little(20'000, std::byte{1});
    std::thread other([&verdict, &d = d, &much, &little] {
        for (int i = 0; i < 5; ++i) d.send(i);
        d.send_bytes(little);
        std::this_thread::sleep_for(20ms); // meanwhile they are taken in
        verdict.expect(d.recv_bytes() == much);
    });
    c.send_bytes(much);
    other.join();
    std::thread taker([&verdict, &b = b, &little] {
        auto got = b.recv<mp::Connection>();
        for (int i = 0; i < 5; ++i) verdict.expect(got.recv<int>() == i);
        verdict.expect(got.recv_bytes() == little);
    });
    a.send(std::move(c));
    taker.join();
    CHECK(verdict.wrong() == 0);
}

TEST_CASE("handles that were taken in go along when a Connection is handed over", "[connection]") {
    Verdict verdict;
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    auto [e, f] = mp::Pipe();
    static_cast<void>(c.fileno()); // both ways are streams from now on: only these are read ahead
    const std::vector<std::byte> much(3'000'000);
    std::thread other([&verdict, &d = d, &e = e, &much] {
        d.send(1);
        d.send(std::move(e));
        d.send(2);
        std::this_thread::sleep_for(50ms); // meanwhile they are taken in
        verdict.expect(d.recv_bytes() == much);
    });
    c.send_bytes(much);
    other.join();
    std::thread taker([&verdict, &b = b] {
        auto got = b.recv<mp::Connection>();
        verdict.expect(got.recv<int>() == 1);
        auto passed = got.recv<mp::Connection>();
        verdict.expect(got.recv<int>() == 2);
        passed.send(3);
    });
    a.send(std::move(c));
    taker.join();
    CHECK(f.recv<int>() == 3);
    CHECK(verdict.wrong() == 0);
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

TEST_CASE("as many Connections in a message as there may be", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    std::vector<mp::Connection> many;
    for (int i = 0; i < 300; ++i) many.push_back(c.dup());
    a.send(std::move(many));
    auto got = b.recv<std::vector<mp::Connection>>();
    REQUIRE(got.size() == 300);
    got[299].send(299);
    got[0].send(0);
    CHECK(d.recv<int>() == 299);
    CHECK(d.recv<int>() == 0);
}

#if !defined(_WIN32)
TEST_CASE("a Connection that there is no room for is an error that says so", "[connection]") {
    if (support::has_asan) return; // what looks at objects' types there opens a pipe for that
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    a.send(std::move(c));
    a.send(1);
    {
        const support::FewFiles none(0);
        CHECK(error_of([&b = b] { b.recv<mp::Connection>(); }) == std::errc::too_many_files_open);
    }
    CHECK(b.recv<int>() == 1);
    CHECK_THROWS_AS(d.recv<int>(), mp::EOFError);
}
#endif

TEST_CASE("a send that fails leaves what it was to hand over", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    b.close();
    CHECK(error_of([&a = a, &c = c] { a.send(std::move(c)); }) == std::errc::broken_pipe);
    CHECK_FALSE(c.closed());
    c.send(1);
    CHECK(d.recv<int>() == 1);
}

TEST_CASE("a forged Connection is an error, whatever it claims", "[connection]") {
    auto [a, b] = mp::Pipe();
    const std::uint64_t fingerprint = mp::detail::fingerprint<mp::Connection>();
    for (const std::size_t zeros : {0U, 5U, 11U, 30U}) {
        for (const unsigned flags : {0U, 3U, 255U}) {
            std::vector<std::byte> forged(8 + 1 + zeros);
            std::memcpy(forged.data(), &fingerprint, 8);
            forged[8] = static_cast<std::byte>(flags);
            a.send_bytes(forged);
            CHECK_THROWS_AS(b.recv<mp::Connection>(), mp::SerializationError);
        }
    }
}

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

TEST_CASE("the descriptor that fileno gives is readable when a message comes", "[connection]") {
    using mp::detail::Deadline;
    const auto readable = [](const mp::Connection& c, mp::Timeout timeout) {
        return mp::detail::platform::wait_one(c.fileno(), Deadline::after(timeout));
    };
    auto [a, b] = mp::Pipe();
    b.send(0);
    b.send(1);
    constexpr bool is_a_descriptor = !mp::detail::platform::Stream::watch_reads_ahead;
    const bool was_readable = readable(a, 0s);
    if (is_a_descriptor) CHECK_FALSE(was_readable); // they came before
    CHECK(a.poll());
    b.send(2);
    if (is_a_descriptor) CHECK(readable(a, 10s));
    for (int i = 0; i < 3; ++i) CHECK(a.recv<int>() == i);
    CHECK_FALSE(a.poll());
    if (is_a_descriptor) CHECK_FALSE(readable(a, 0s));
    a.send(std::vector<int>(10'000, 5));
    CHECK(b.recv<std::vector<int>>() == std::vector<int>(10'000, 5));
    auto [c, d] = mp::Pipe();
    a.send(std::move(c));
    b.recv<mp::Connection>().send(4);
    CHECK(d.recv<int>() == 4);
    b.close();
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
}

TEST_CASE("wait gives all that are ready, in the order given", "[connection]") {
    using mp::connection::wait;
    std::vector<mp::Connection> here;
    std::vector<mp::Connection> there;
    for (int i = 0; i < 200; ++i) {
        auto [a, b] = mp::Pipe();
        here.push_back(std::move(a));
        there.push_back(std::move(b));
    }
    CHECK(wait(here, 0s).empty());
    CHECK(wait(here, -5s).empty());
    CHECK(wait({here[0], here[1]}, 10ms).empty());
    there[150].send(1);
    there[3].send(1);
    there[77].close();
    auto ready = wait(here);
    REQUIRE(ready.size() == 3);
    CHECK(ready[0] == here[3]);
    CHECK(ready[1] == here[77]);
    CHECK(ready[2] == here[150]);
    CHECK(ready[2] != here[3]);
    CHECK(ready[0].fileno() == here[3].fileno());
    const mp::Connection& same = here[3];
    ready = wait({here[150], here[9], same, here[150]}, 1s);
    REQUIRE(ready.size() == 3);
    CHECK(ready[0] == here[150]);
    CHECK(ready[1] == here[3]);
    CHECK(ready[2] == here[150]);

    const auto moved = std::move(here[3]); // a Waitable follows
    CHECK(ready[1] == moved);
}

TEST_CASE("wait for nothing returns, at once or when the time is over", "[connection]") {
    CHECK(mp::connection::wait({}).empty());
    const auto begin = std::chrono::steady_clock::now();
    CHECK(mp::connection::wait({}, 30ms).empty());
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
}

TEST_CASE("wait wakes when a message comes", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    std::thread sender([&d = d] {
        std::this_thread::sleep_for(20ms);
        d.send(5);
    });
    const auto ready = mp::connection::wait({a, c});
    sender.join();
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == c);
    CHECK(c.recv<int>() == 5);
    CHECK(mp::connection::wait({a, c}, 0s).empty());
    b.send(1);
    CHECK(a.recv<int>() == 1);
}

static_assert(!std::is_constructible_v<mp::connection::Waitable, mp::Connection>);
static_assert(std::is_constructible_v<mp::connection::Waitable, mp::Connection&>);
static_assert(std::is_same_v<mp::Connection, mp::connection::Connection>);
