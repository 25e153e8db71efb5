// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <signal.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

void twice(mp::Connection c) {
    try {
        for (;;) c.send(2 * c.recv<int>());
    } catch (const mp::EOFError&) {}
}

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

TEST_CASE("a child talks over a Connection that was moved to it", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(twice, std::move(b));
    CHECK(b.closed());
    p.start();
    for (int i = 0; i < 100; ++i) {
        a.send(i);
        CHECK(a.recv<int>() == 2 * i);
    }
    a.close(); // the child has no copy of this end, so it sees its end
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a function may take its Connection by reference", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p([](mp::Connection& c) { c.send(1); }, b.dup());
    mp::Process q([](mp::Connection&& c) { c.send(2); }, std::move(b));
    p.start();
    CHECK(a.recv<int>() == 1);
    q.start();
    CHECK(a.recv<int>() == 2);
    p.join();
    q.join();
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError); // both have ended, and nobody else has the end
}

TEST_CASE("the end of a child is the end of what it sends", "[connection]") {
    auto [receiver, sender] = mp::Pipe(false);
    mp::Process p(
        [](mp::Connection c) {
            c.send(std::string("last words"));
            std::abort();
        },
        std::move(sender));
    p.start();
    CHECK(receiver.recv<std::string>() == "last words");
    CHECK_THROWS_AS(receiver.recv<int>(), mp::EOFError);
    p.join();
}

TEST_CASE("a child that is killed within a message is an error, not a wait", "[connection]") {
    auto [a, b] = mp::Pipe();
    static_cast<void>(a.fileno()); // from now on messages go through the stream, in pieces
    mp::Process p([](mp::Connection c) { c.send(std::vector<int>(10'000'000)); }, std::move(b));
    p.start();
    CHECK(a.poll(mp::no_timeout));
    p.kill();
    p.join();
    try {
        static_cast<void>(a.recv<std::vector<int>>());
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::connection_aborted); }
}

TEST_CASE("a message of a child that is killed comes whole or not at all", "[connection]") {
    std::mt19937 random{11};
    int received = 0;
    for (int round = 0; round < 40; ++round) {
        auto [a, b] = mp::Pipe(round % 2 == 0);
        mp::Process p(
            [](mp::Connection c) {
                c.send(-1);
                for (int i = 0;; ++i)
                    c.send(std::vector<int>(static_cast<std::size_t>(i * 37 % 20'000 + 1), i));
            },
            std::move(b));
        p.start();
        REQUIRE(a.recv<int>() == -1);
        std::thread killer([&] {
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
            p.kill();
        });
        int next = 0;
        bool right = true;
        try {
            for (;; ++next) {
                const auto got = a.recv<std::vector<int>>();
                right = right && got.size() == static_cast<std::size_t>(next * 37 % 20'000 + 1) &&
                        std::all_of(got.begin(), got.end(), [&](int x) { return x == next; });
            }
        } catch (const mp::EOFError&) {}
        killer.join();
        p.join();
        CHECK(right);
        received += next;
    }
    CHECK(received > 40);
}

TEST_CASE("a receiver that was killed is an error for who sends, not a wait", "[connection]") {
    for (const bool waits : {true, false}) {
        auto [here, there] = mp::Pipe();
        mp::Process p(
            [](mp::Connection c, bool asks) {
                c.send(1);
                if (asks) c.recv<int>();
                std::this_thread::sleep_for(1h);
            },
            std::move(there), waits);
        p.start();
        CHECK(here.recv<int>() == 1);
        if (waits) std::this_thread::sleep_for(20ms);
        p.kill();
        p.join();
        const std::vector<std::byte> message(100'000);
        std::error_code code;
        try {
            for (int i = 0; i < 200; ++i) here.send_bytes(message);
        } catch (const std::system_error& error) { code = error.code(); }
        CHECK(code == std::errc::broken_pipe);
        CHECK_THROWS_AS(here.recv<int>(), mp::EOFError);
    }
}

TEST_CASE("a receiver that was killed while it waited is an error of the first message", "[connection]") {
    const auto asleep = GENERATE(20ms, 300ms); // at the ring; watching the stream
    for (const std::size_t size : {std::size_t{8}, std::size_t{600'000}}) {
        auto [here, there] = mp::Pipe();
        mp::Process p(
            [](mp::Connection c) {
                c.recv<int>();
                c.send(1);
                c.recv_bytes();
            },
            std::move(there));
        p.start();
        here.send(0); // an end was closed here since: the first send of all asks for the other side anyway
        CHECK(here.recv<int>() == 1);
        std::this_thread::sleep_for(asleep);
        p.kill();
        p.join();
        const std::vector<std::byte> message(size);
        for (int i = 0; i < 3; ++i) {
            std::error_code code;
            try {
                here.send_bytes(message);
            } catch (const std::system_error& error) { code = error.code(); }
            CHECK(code == std::errc::broken_pipe);
        }
    }
}

#if !defined(_WIN32)
TEST_CASE("a receiver hears of the end though another one of the same end was stopped", "[connection]") {
    auto [here, there] = mp::Pipe();
    mp::Process stopped(
        [](mp::Connection c) {
            c.send(0);
            c.recv<int>(); // the first wait of all hears of the end that was closed by passing it
            c.send(1);
            c.recv<int>();
        },
        here.dup());
    stopped.start();
    CHECK(there.recv<int>() == 0);
    std::this_thread::sleep_for(20ms);
    there.send(0);
    CHECK(there.recv<int>() == 1);
    std::this_thread::sleep_for(20ms); // it waits at the ring, whose lock it has
    ::kill(static_cast<pid_t>(*stopped.pid()), SIGSTOP);
    there.close();
    CHECK_THROWS_AS(here.recv<int>(), mp::EOFError);
    stopped.kill();
    stopped.join();
}
#endif

TEST_CASE("who has waited for long still hears of messages, and of the end", "[connection]") {
    auto [a, b] = mp::Pipe();
    mp::Process p(
        [](mp::Connection c) {
            for (int i = 0; i < 3; ++i) {
                std::this_thread::sleep_for(130ms);
                c.send(i);
            }
            std::this_thread::sleep_for(130ms);
            std::abort();
        },
        std::move(b));
    p.start();
    for (int i = 0; i < 3; ++i) {
        CHECK(a.recv<int>() == i);
        CHECK_FALSE(a.poll());
    }
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
    p.join();
}

TEST_CASE("several children send over duplicates of one end", "[connection]") {
    auto [a, b] = mp::Pipe(false);
    std::vector<mp::Process> children;
    for (int child = 0; child < 3; ++child) {
        children.emplace_back(
            [](mp::Connection c, int self) {
                for (int i = 0; i < 200; ++i)
                    c.send(std::vector<int>(static_cast<std::size_t>(1 + i * 31), self));
            },
            b.dup(), child);
        children.back().start();
    }
    b.close();
    std::vector<std::size_t> seen(3);
    for (int i = 0; i < 600; ++i) {
        const auto got = a.recv<std::vector<int>>();
        const auto from = static_cast<std::size_t>(got.at(0));
        CHECK(got == std::vector<int>(1 + seen.at(from)++ * 31, static_cast<int>(from)));
    }
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError); // all of them have ended
    for (auto& child : children) child.join();
}

TEST_CASE("a Process that is never started closes what it was given", "[connection]") {
    auto [a, b] = mp::Pipe();
    { const mp::Process p(twice, std::move(b)); }
    CHECK_THROWS_AS(a.recv<int>(), mp::EOFError);
}

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

namespace {
std::optional<mp::Connection> of_program;
}

TEST_CASE("a Connection that was not handed over is of no use to a child", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    of_program = std::move(a);
    mp::Process p(
        [](mp::Connection out) {
            if (!of_program) return out.send(std::string("none")); // it is no copy of its parent
            try {
                of_program->send(1);
            } catch (const std::logic_error& error) { out.send(std::string(error.what())); }
        },
        std::move(d));
    p.start();
    const auto said = c.recv<std::string>();
    CHECK((said == "none" || said.find("pass it as an argument") != std::string::npos));
    p.join();
    of_program.reset();
    CHECK_THROWS_AS(b.recv<int>(), mp::EOFError);
}

TEST_CASE("wait for connections and the ends of processes", "[connection]") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    mp::Process speaker([](mp::Connection end) { end.send(1), end.poll(mp::no_timeout); }, std::move(b));
    mp::Process ender([](mp::Connection end) { end.poll(mp::no_timeout); }, std::move(d));
    speaker.start();
    ender.start();
    auto ready = mp::connection::wait({ender.sentinel(), a, c, speaker.sentinel()});
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == a);
    CHECK(a.recv<int>() == 1);
    c.send(1); // it ends
    ready = mp::connection::wait(std::vector<mp::Sentinel>{speaker.sentinel(), ender.sentinel()});
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == ender.sentinel());
    a.close();
    speaker.join();
    ender.join();
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
