// SPDX-License-Identifier: BSL-1.0
#include <synchronize/support.hpp>

#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <stdexcept>
#include <thread>

using namespace process;

TEST_CASE("a semaphore counts, and hands over between processes", "[synchronize]") {
    const mp::Semaphore semaphore{2};
    CHECK(semaphore.get_value() == 2);
    CHECK(semaphore.acquire());
    CHECK(semaphore.acquire(false));
    CHECK(semaphore.locked());
    CHECK_FALSE(semaphore.acquire(false));
    CHECK_FALSE(semaphore.acquire(10ms));
    mp::Process child([](mp::Semaphore s) { s.release(); }, semaphore); // not who acquired it
    child.start();
    CHECK(semaphore.acquire(60s));
    child.join();

    const mp::Semaphore ping{0}, pong{0};
    mp::Process player(
        [](mp::Semaphore in, mp::Semaphore out) {
            for (int i = 0; i < 200; ++i) {
                in.acquire();
                out.release();
            }
        },
        ping, pong);
    player.start();
    for (int i = 0; i < 200; ++i) {
        ping.release();
        REQUIRE(pong.acquire(60s));
    }
    player.join();

    const mp::BoundedSemaphore bounded{1};
    CHECK_THROWS_AS(bounded.release(), std::invalid_argument);
    CHECK(bounded.acquire());
    bounded.release();
    CHECK_THROWS_AS(bounded.release(), std::invalid_argument);
    CHECK(bounded.get_value() == 1);
    CHECK_THROWS_AS(mp::Semaphore{-1}, std::invalid_argument);
    CHECK_THROWS_AS(mp::Semaphore{3'000'000'000u}, std::invalid_argument);
    const mp::Semaphore full{2'147'483'647};
    CHECK_THROWS_AS(full.release(), std::invalid_argument);
}

TEST_CASE("releases of a semaphore let as many go on as wait", "[synchronize]") {
    const mp::Semaphore semaphore{0};
    Tally tally;
    auto waiters = started(
        4,
        [](mp::Semaphore s, Tally t) {
            t.add(0, 1);
            s.acquire();
            t.add(1, 1);
        },
        semaphore, tally);
    tally.wait_for(0, 4);
    std::this_thread::sleep_for(20ms); // most of them sleep by now
    for (int i = 0; i < 4; ++i) semaphore.release();
    tally.wait_for(1, 4);
    for (auto& waiter : waiters) waiter.join();
    CHECK(semaphore.get_value() == 0);
}
