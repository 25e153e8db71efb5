// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <unistd.h>
#endif

using namespace process;

namespace {

struct Bundle {
    std::string name;
    std::vector<mp::Connection> several;
    std::map<int, std::tuple<int, mp::Connection>> named;
    std::optional<mp::Connection> maybe;
    Tally tally;
};

std::optional<mp::Connection> of_worker;

void keep(mp::Connection c) { of_worker = std::move(c); }
void tell(int number) { of_worker->send(number); }

} // namespace

TEST_CASE("Connections travel inside of arguments, beside shared handles", "[connection]") {
    std::vector<mp::Connection> kept;
    Bundle bundle{"bundle", {}, {}, {}, {}};
    const Tally tally = bundle.tally;
    const auto other_end = [&] {
        auto [here, there] = mp::Pipe();
        kept.push_back(std::move(here));
        return std::move(there);
    };
    for (int i = 0; i < 80; ++i) bundle.several.push_back(other_end()); // more than fit into one message
    bundle.named.emplace(7, std::tuple(1, other_end()));
    bundle.maybe = other_end();
    mp::Process p(
        [](Bundle got) {
            for (std::size_t i = 0; i < got.several.size(); ++i) got.several[i].send(static_cast<int>(i));
            std::get<1>(got.named.at(7)).send(100);
            got.maybe->send(got.name);
            got.tally.add(0, 5);
        },
        std::move(bundle));
    p.start();
    for (int i = 0; i < 80; ++i) CHECK(kept[static_cast<std::size_t>(i)].recv<int>() == i);
    CHECK(kept[80].recv<int>() == 100);
    CHECK(kept[81].recv<std::string>() == "bundle");
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(tally.get(0) == 5);
    for (auto& end : kept) CHECK_THROWS_AS(end.recv<int>(), mp::EOFError);
}

TEST_CASE("a grandchild gets what its parent was given", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(
        [](mp::Connection c) {
            auto [mine, its] = mp::Pipe();
            mp::Process child(
                [](mp::Connection up, mp::Connection far) {
                    far.send(up.recv<std::string>() + " grandfather");
                    up.send(std::string("done"));
                },
                std::move(its), std::move(c));
            child.start();
            mine.send(std::string("hello"));
            if (mine.recv<std::string>() != "done") std::exit(3);
            child.join();
            std::exit(child.exitcode().value());
        },
        std::move(b));
    p.start();
    CHECK(a.recv<std::string>() == "hello grandfather");
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a child's children do not get what is its own", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(
        [](mp::Connection c) {
            auto [mine, its] = mp::Pipe();
            mp::Process child([](mp::Connection up) { static_cast<void>(up.poll(mp::no_timeout)); },
                              std::move(its));
            child.start();
            c.send(1);
            c.close();        // that was the last: the parent must see the end while the grandchild lives
            mine.recv<int>(); // which is until the parent has seen it; then this throws
        },
        std::move(b));
    p.start();
    CHECK(a.recv<int>() == 1);
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
    p.terminate();
    p.join();
}

TEST_CASE("a Connection is sent to a process that runs already", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(
        [](mp::Connection c) {
            auto got = c.recv<mp::Connection>();
            got.send(std::string("over the other"));
        },
        std::move(b));
    p.start();
    auto [c, d] = mp::Pipe();
    a.send(std::move(c));
    CHECK(d.recv<std::string>() == "over the other");
    CHECK_THROWS_AS(d.recv<int>(), mp::EOFError);
    p.join();
}

TEST_CASE("a Connection made in a child is sent to its parent", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(
        [](mp::Connection c) {
            auto [mine, its] = mp::Pipe();
            c.send(std::move(its));
            mine.send(mine.recv<int>() + 1);
        },
        std::move(b));
    p.start();
    auto got = a.recv<mp::Connection>();
    got.send(41);
    CHECK(got.recv<int>() == 42);
    p.join();
}

TEST_CASE("a Connection goes to the workers of a pool by their initializer", "[connection]") {
    auto [a, b] = mp::Pipe();
    {
        mp::Pool pool(1, keep, std::move(b));
        CHECK(b.closed());
        pool.apply(tell, 1);
        CHECK(a.recv<int>() == 1);
        auto [c, d] = mp::Pipe();
        try {
            pool.apply(keep, std::move(c));
            FAIL("nothing was thrown");
        } catch (const std::invalid_argument& error) {
            CHECK_THAT(error.what(), ContainsSubstring("initializer"));
        }
        CHECK_FALSE(c.closed());
        pool.apply(tell, 2);
        CHECK(a.recv<int>() == 2);
    }
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
}

TEST_CASE("a worker that replaces another gets the Connection, too", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Pool pool({.processes = 1, .maxtasksperchild = 1}, keep, std::move(b));
    for (int i = 0; i < 3; ++i) {
        pool.apply(tell, i);
        CHECK(a.recv<int>() == i);
    }
}

#if !defined(_WIN32)

TEST_CASE("a descriptor is handed over to another process", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process child(
        [](mp::Connection connection) {
            const int writer = mp::reduction::recv_handle(connection);
            const bool written = ::write(writer, "hello", 5) == 5;
            ::close(writer);
            connection.send(written);
        },
        std::move(b));
    child.start();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    mp::reduction::send_handle(a, ends[1]);
    ::close(ends[1]); // the child has its own
    CHECK(a.recv<bool>());
    child.join();
    char text[6] = {};
    CHECK(::read(ends[0], text, 5) == 5);
    CHECK(std::string(text) == "hello");
    CHECK(::read(ends[0], text, 1) == 0); // nobody else has it
    ::close(ends[0]);
    CHECK_THROWS_AS(mp::reduction::send_handle(a, ends[0]), std::system_error);
}

TEST_CASE("a message that is no handle is not taken for one", "[connection]") {
    auto [a, b] = mp::Pipe();
    a.send(std::uint64_t{3});
    CHECK_THROWS_AS(mp::reduction::recv_handle(b), mp::SerializationError);
    a.send(7);
    CHECK(b.recv<int>() == 7);
}

TEST_CASE("a descriptor of the program's is waited for beside Connections", "[connection]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto [a, b] = mp::Pipe();
    const auto native = mp::connection::native(ends[0]);
    CHECK(native.fileno() == ends[0]);
    CHECK(mp::connection::wait({b, native}, 0s).empty());
    REQUIRE(::write(ends[1], "x", 1) == 1);
    const auto ready = mp::connection::wait({b, native}, 60s);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == native);
    a.send(1);
    CHECK(mp::connection::wait({b, native}, 60s).size() == 2);
    ::close(ends[0]);
    ::close(ends[1]);
}

#endif
