// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <synchronize/support.hpp>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstdlib>
#include <thread>

using namespace process;

namespace {

/// An event that tells whether somebody sleeps at it.
struct Watched : mp::Event {
    bool has_sleeper() const { return body().place.sleepers != 0; }
};

} // namespace

TEST_CASE("one set of an event is seen once by who clears it", "[synchronize]") {
    constexpr int turns = 10'000;
    const mp::Event ping, pong;
    const mp::RawValue<int> turn;
    mp::Process player(
        [](mp::Event in, mp::Event out, mp::RawValue<int> now) {
            for (int i = 0; i < turns; ++i) {
                if (!in.wait(60s) || now.value() != i) std::exit(1);
                in.clear();
                out.set();
            }
        },
        ping, pong, turn);
    player.start();
    bool came = true;
    for (int i = 0; i < turns && came; ++i) {
        turn.value() = i;
        ping.set();
        came = pong.wait(60s);
        pong.clear();
    }
    player.join();
    CHECK(came);
    CHECK(player.exitcode() == 0);
}

TEST_CASE("an event lets all go on who wait for it", "[synchronize]") {
    const mp::Event event;
    CHECK_FALSE(event.is_set());
    CHECK_FALSE(event.wait(10ms));
    Tally tally;
    auto waiters = started(
        3,
        [](mp::Event e, Tally t) {
            t.add(0, 1);
            if (e.wait()) t.add(1, 1);
        },
        event, tally);
    tally.wait_for(0, 3);
    CHECK(tally.get(1) == 0);
    event.set();
    tally.wait_for(1, 3);
    for (auto& waiter : waiters) waiter.join();
    CHECK(event.is_set());
    CHECK(event.wait());
    CHECK(event.wait(0s));
    event.clear();
    CHECK_FALSE(event.is_set());

    // One who waits sees a set that is cleared at once.
    const Watched fresh;
    bool seen = false;
    std::thread waiter([&] { seen = fresh.wait(60s); });
    CHECK(support::eventually([&] { return fresh.has_sleeper(); }));
    fresh.set();
    fresh.clear();
    waiter.join();
    CHECK(seen);
}
