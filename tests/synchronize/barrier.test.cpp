// SPDX-License-Identifier: BSL-1.0
#include <synchronize/support.hpp>

#include <multiprocessing/start_method.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

using namespace process;

namespace {

struct CountUp {
    mp::StartMethod unused = mp::StartMethod::spawn; // a state that crosses
    int operator()() const { throw std::range_error("the action failed"); }
};

void print_nothing() {}

} // namespace

TEST_CASE("a barrier lets go on when all have come, again and again", "[synchronize]") {
    const mp::Barrier barrier{3};
    CHECK(barrier.parties() == 3);
    CHECK(barrier.n_waiting() == 0);
    Tally tally;
    const auto work = [](mp::Barrier b, Tally t) {
        for (int round = 0; round < 50; ++round) {
            t.add(1, 1);
            const int rank = b.wait(60s);
            if (t.get(1) < 3 * (round + 1)) t.add(2, 1); // somebody had not come
            t.add(10 + rank, 1);
            b.wait(60s);
        }
    };
    run_all(3, work, barrier, tally);
    CHECK(tally.get(2) == 0);
    for (int rank = 0; rank < 3; ++rank) CHECK(tally.get(10 + rank) == 50);
}

TEST_CASE("the last to come runs the action, whose failure breaks the barrier", "[synchronize]") {
    const mp::Barrier quiet{2, print_nothing};
    mp::Process other([](mp::Barrier b) { b.wait(60s); }, quiet);
    other.start();
    CHECK(quiet.wait(60s) >= 0);
    other.join();
    CHECK(other.exitcode() == 0);

    const mp::Barrier failing({.timeout = 60s}, 2, CountUp{});
    mp::Process party(
        [](mp::Barrier b) {
            try {
                b.wait();
            } catch (const mp::BrokenBarrierError&) { std::exit(2); } catch (const std::range_error&) {
                std::exit(3);
            }
        },
        failing);
    party.start();
    int code = 0;
    try {
        failing.wait();
    } catch (const mp::BrokenBarrierError&) { code = 2; } catch (const std::range_error&) {
        code = 3;
    }
    party.join();
    CHECK(code + party.exitcode().value() == 5); // one ran it, the other was told
    CHECK(failing.broken());
    CHECK_THROWS_AS(failing.wait(), mp::BrokenBarrierError);
    failing.reset();
    CHECK_FALSE(failing.broken());
}

TEST_CASE("a barrier is broken by a timeout or abort, and freed by reset", "[synchronize]") {
    const mp::Barrier barrier({.timeout = 20ms}, 2);
    CHECK_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    CHECK(barrier.broken());
    CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError);
    barrier.reset();
    const auto waiting = [&](auto then) {
        std::thread waiter([&] { CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError); });
        while (barrier.n_waiting() == 0) std::this_thread::yield();
        then();
        waiter.join();
    };
    waiting([&] { barrier.reset(); });
    CHECK_FALSE(barrier.broken());
    waiting([&] { barrier.abort(); });
    CHECK(barrier.broken());
    CHECK_THROWS_AS(mp::Barrier{0}, std::invalid_argument);
    CHECK_THROWS_AS(mp::Barrier{70'000}, std::invalid_argument);
    mp::Barrier alone{1};
    CHECK(alone.wait() == 0);
}

TEST_CASE("a barrier whose action dies with its process is broken", "[synchronize]") {
    const mp::Barrier barrier{2, [] { mp::detail::platform::exit_now(9); }};
    Tally tally;
    mp::Process dies(
        [](mp::Barrier b, Tally t) {
            t.wait_for(0, 1);
            b.wait(60s);
        },
        barrier, tally);
    dies.start();
    std::thread opener([&] {
        while (barrier.n_waiting() == 0) std::this_thread::yield();
        tally.add(0, 1);
    });
    CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError);
    opener.join();
    dies.join();
    CHECK(dies.exitcode() == 9);
}
