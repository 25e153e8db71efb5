// SPDX-License-Identifier: BSL-1.0
#include <connection/support.hpp>

#include <multiprocessing/detail/platform/wait.hpp>

#include <chrono>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace connection;

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

static_assert(!std::is_constructible_v<mp::connection::Waitable, mp::Connection>);
static_assert(std::is_constructible_v<mp::connection::Waitable, mp::Connection&>);
