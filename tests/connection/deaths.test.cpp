// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <signal.h>
#endif

using namespace process;

namespace {

/// Waits until the child sleeps, where the system tells.
void let_sleep([[maybe_unused]] const mp::Process& child) {
#if !defined(_WIN32)
    CHECK(support::eventually([&] {
        const auto status = mp::detail::platform::status_of_thread(static_cast<std::uint32_t>(*child.pid()));
        return status && status->state == 'S';
    }));
#endif
}

} // namespace

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
        let_sleep(p); // else it may not have come to wait yet, and the first message would be lost
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
