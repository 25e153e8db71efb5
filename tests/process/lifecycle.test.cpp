// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/detail/platform/wait.hpp>

#include <cstdlib>

using namespace process;

namespace {

void return_at_once() {}
void return_code(int code) { std::exit(code); }
void throw_error() { throw std::runtime_error("expected by a test"); }
void count_and_wait(Tally tally) {
    tally.add(0, 1);
    tally.wait_for(1, 1);
}
void run_for_ever(Tally tally) {
    tally.add(0, 1);
    for (;;) std::this_thread::sleep_for(1s);
}

} // namespace

TEST_CASE("a process runs its function once, and ends with code 0", "[process]") {
    Tally tally;
    mp::Process p([](Tally t, int by) { t.add(0, by); }, tally, 5);
    CHECK_FALSE(p.is_alive());
    CHECK_FALSE(p.pid());
    CHECK_FALSE(p.exitcode());
    p.start();
    CHECK(p.pid().value() > 0);
    CHECK(p.join());
    CHECK(p.join()); // once more
    CHECK_FALSE(p.is_alive());
    CHECK(p.exitcode() == 0);
    CHECK(tally.get(0) == 5);
}

TEST_CASE("a process is alive from start to end, and a join with a timeout returns without it", "[process]") {
    Tally tally;
    mp::Process p(count_and_wait, tally);
    p.start();
    tally.wait_for(0, 1);
    CHECK(p.is_alive());
    CHECK_FALSE(p.join(0s));
    CHECK_FALSE(p.join(20ms));
    CHECK_FALSE(p.join(-5s)); // negative counts as 0
    CHECK_FALSE(p.exitcode());
    tally.set(1, 1);
    CHECK(p.join(60s));
    CHECK(p.exitcode() == 0);
}

TEST_CASE("exit codes are what std::exit was given, 1 after an exception, 0 to 255", "[process]") {
    for (const int code : {0, 1, 3, 255}) {
        mp::Process p(return_code, code);
        p.start();
        p.join();
        CHECK(p.exitcode() == code);
    }
    mp::Process p(throw_error);
    p.start();
    p.join();
    CHECK(p.exitcode() == 1);
}

TEST_CASE("a process that is terminated or killed reports the signal", "[process]") {
    Tally tally;
    mp::Process p(run_for_ever, tally);
    p.start();
    tally.wait_for(0, 1);
    SECTION("terminate") {
        p.terminate();
        p.join();
        CHECK(p.exitcode() == -15);
    }
    SECTION("kill") {
        p.kill();
        p.join();
        CHECK(p.exitcode() == -9);
    }
    SECTION("and ending it once more is no error") {
        p.kill();
        p.join();
        p.terminate();
        p.kill();
        CHECK(p.exitcode() == -9);
    }
}

TEST_CASE("misuse throws what Python's exceptions translate to", "[process]") {
    mp::Process p(return_at_once);
    CHECK_THROWS_AS(p.join(), std::logic_error);
    CHECK_THROWS_AS(p.terminate(), std::logic_error);
    CHECK_THROWS_AS(p.kill(), std::logic_error);
    CHECK_THROWS_AS(p.interrupt(), std::logic_error);
    CHECK_THROWS_AS(p.sentinel(), std::invalid_argument);
    p.start();
    CHECK_THROWS_AS(p.start(), std::logic_error);
    CHECK_THROWS_AS(p.set_daemon(true), std::logic_error);
    p.join();
    CHECK_THROWS_AS(p.start(), std::logic_error);
    CHECK_THROWS_WITH(p.start(), ContainsSubstring("was started before"));
}

TEST_CASE("a closed process answers nothing but close", "[process]") {
    mp::Process never(return_at_once);
    never.close();
    never.close();
    CHECK_THROWS_AS(never.start(), std::invalid_argument);

    Tally tally;
    mp::Process p(count_and_wait, tally);
    p.start();
    tally.wait_for(0, 1);
    CHECK_THROWS_AS(p.close(), std::invalid_argument);
    tally.set(1, 1);
    p.join();
    p.close();
    CHECK_THROWS_AS(p.join(), std::invalid_argument);
    CHECK_THROWS_AS(p.exitcode(), std::invalid_argument);
    CHECK_THROWS_AS(p.name(), std::invalid_argument);
    CHECK_THROWS_AS(p.is_alive(), std::invalid_argument);
    p.close();
}

TEST_CASE("a process that goes out of scope is joined, a daemon is terminated", "[process]") {
    Tally tally;
    {
        mp::Process p([](Tally t) { std::this_thread::sleep_for(30ms), t.add(0, 1); }, tally);
        p.start();
    }
    CHECK(tally.get(0) == 1);
    {
        mp::Process daemon({.daemon = true}, run_for_ever, tally);
        daemon.start();
        tally.wait_for(0, 2);
    } // the watchdog would object
    { mp::Process never_started(run_for_ever, tally); }
    CHECK(tally.get(0) == 2);
}

TEST_CASE("while an exception unwinds, a process is not waited for long", "[process]") {
    Tally tally;
    const ExpectedLog log{"it is terminated"};
    try {
        mp::Process p(run_for_ever, tally);
        p.start();
        tally.wait_for(0, 1);
        throw std::runtime_error("on the way");
    } catch (const std::runtime_error& error) { CHECK(std::string(error.what()) == "on the way"); }
    CHECK(log.seen());
}

TEST_CASE("a process that is assigned to ends as by its destructor", "[process]") {
    Tally tally;
    mp::Process p([](Tally t) { std::this_thread::sleep_for(20ms), t.add(0, 1); }, tally);
    p.start();
    p = mp::Process([](Tally t) { t.add(1, 1); }, tally);
    CHECK(tally.get(0) == 1);
    p.start();
    p.join();
    CHECK(tally.get(1) == 1);
    mp::Process moved = std::move(p);
    CHECK(moved.exitcode() == 0);
    CHECK_THROWS_AS(p.join(), std::logic_error);
}

TEST_CASE("many processes run at once, in containers", "[process]") {
    Tally tally;
    std::vector<mp::Process> processes;
    for (int i = 0; i < 20; ++i) processes.emplace_back([](Tally t, int n) { t.add(n, n); }, tally, i);
    for (auto& p : processes) p.start();
    for (auto& p : processes) p.join();
    for (int i = 0; i < 20; ++i) CHECK(tally.get(i) == i);
    for (auto& p : processes) CHECK(p.exitcode() == 0);
}

TEST_CASE("processes are started by several threads at once", "[process]") {
    Tally tally;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 10; ++i) {
                mp::Process p([](Tally tl) { tl.add(0, 1); }, tally);
                p.start();
                p.join();
                if (p.exitcode() != 0) tally.add(1, 1);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(tally.get(0) == 40);
    CHECK(tally.get(1) == 0);
}

TEST_CASE("a sentinel is ready once the process has ended", "[process]") {
    Tally tally;
    mp::Process p(count_and_wait, tally);
    p.start();
    const mp::Sentinel sentinel = p.sentinel();
    CHECK(sentinel == p.sentinel());
    const auto ready = [&](mp::Timeout timeout) {
        return mp::detail::platform::wait_one(sentinel.native_handle(), mp::detail::Deadline::after(timeout));
    };
    tally.wait_for(0, 1);
    CHECK_FALSE(ready(10ms));
    tally.set(1, 1);
    CHECK(ready(60s));
    p.join();
    CHECK(ready(0s));
}
