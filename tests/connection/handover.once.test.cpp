// SPDX-License-Identifier: BSL-1.0
#include <connection/support.hpp>
#include <support/few_files.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/detail/types/fingerprint.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using namespace connection;

namespace {

struct Bundle {
    int number = 0;
    std::vector<mp::Connection> several;
    std::tuple<std::string, std::unique_ptr<mp::Connection>> named;
    std::optional<mp::Connection> maybe;
};

} // namespace

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
    std::thread source([&verdict, &b = b, &little] {
        auto got = b.recv<mp::Connection>();
        for (int i = 0; i < 5; ++i) verdict.expect(got.recv<int>() == i);
        verdict.expect(got.recv_bytes() == little);
    });
    a.send(std::move(c));
    source.join();
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
    std::thread source([&verdict, &b = b] {
        auto got = b.recv<mp::Connection>();
        verdict.expect(got.recv<int>() == 1);
        auto passed = got.recv<mp::Connection>();
        verdict.expect(got.recv<int>() == 2);
        passed.send(3);
    });
    a.send(std::move(c));
    source.join();
    CHECK(f.recv<int>() == 3);
    CHECK(verdict.wrong() == 0);
}

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
