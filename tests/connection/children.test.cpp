// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace process;

namespace {

void twice(mp::Connection c) {
    try {
        for (;;) c.send(2 * c.recv<int>());
    } catch (const mp::EOFError&) {}
}

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

TEST_CASE("who has waited for long still hears of messages, and of the end", "[connection]") {
    auto [a, b] = mp::Pipe();
    const mp::Semaphore waits{0};
    mp::Process p(
        [](mp::Connection c, mp::Semaphore go) {
            for (int i = 0; i < 3; ++i) {
                go.acquire();
                std::this_thread::sleep_for(130ms);
                c.send(i);
            }
            go.acquire();
            std::this_thread::sleep_for(130ms);
            std::abort();
        },
        std::move(b), waits);
    p.start();
    for (int i = 0; i < 3; ++i) {
        waits.release();
        CHECK(a.recv<int>() == i);
        CHECK_FALSE(a.poll());
    }
    waits.release();
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
