// SPDX-License-Identifier: BSL-1.0
#include <synchronize/support.hpp>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace process;

TEST_CASE("a condition is waited for and notified with its lock held", "[synchronize]") {
    const mp::Condition condition;
    CHECK_THROWS_AS(condition.wait(), std::logic_error);
    CHECK_THROWS_AS(condition.notify(), std::logic_error);
    CHECK_THROWS_AS(condition.notify_all(), std::logic_error);
    const mp::Lock lock;
    const mp::Condition by_lock{lock};
    lock.acquire();
    elsewhere([&] { CHECK_THROWS_AS(by_lock.wait(0s), std::logic_error); });
    CHECK_THROWS_AS(condition.wait(0s), std::logic_error); // that one's lock is another
    CHECK_FALSE(by_lock.wait(10ms));
    CHECK(lock.locked());
    by_lock.notify(); // nobody is there: nothing is kept for later
    CHECK_FALSE(by_lock.wait(10ms));
    lock.release();

    // All levels are given up while it waits.
    const mp::RLock recursive;
    const mp::Condition by_rlock{recursive};
    std::scoped_lock once{recursive};
    std::scoped_lock twice{by_rlock};
    std::thread notifier([&] {
        std::scoped_lock guard{recursive};
        by_rlock.notify();
    });
    CHECK(by_rlock.wait(60s));
    notifier.join();
    elsewhere([&] { CHECK_FALSE(recursive.try_lock()); });
}

TEST_CASE("a notify lets one go on, notify_all everybody", "[synchronize]") {
    const mp::Condition condition;
    Tally tally;
    auto waiters = started(
        4,
        [](mp::Condition c, Tally t) {
            std::scoped_lock guard{c};
            t.add(0, 1);
            if (c.wait()) t.add(1, 1);
        },
        condition, tally);
    tally.wait_for(0, 4);
    const auto notify = [&](int count) {
        std::scoped_lock guard{condition}; // all have given it up: all wait
        condition.notify(count);
    };
    notify(1);
    tally.wait_for(1, 1);
    std::this_thread::sleep_for(150ms); // longer than any sleeps without looking
    CHECK(tally.get(1) == 1);
    notify(2);
    tally.wait_for(1, 3);
    {
        std::scoped_lock guard{condition};
        condition.notify_all();
    }
    tally.wait_for(1, 4);
    for (auto& waiter : waiters) waiter.join();
}

TEST_CASE("wait_for waits until its predicate holds", "[synchronize]") {
    const mp::Condition condition;
    mp::RawValue<int> value{0};
    mp::Process counter(
        [](mp::Condition c, mp::RawValue<int> v) {
            for (int i = 0; i < 10; ++i) {
                std::scoped_lock guard{c};
                ++v.value();
                c.notify_all();
            }
        },
        condition, value);
    counter.start();
    {
        std::scoped_lock guard{condition};
        CHECK(condition.wait_for([&] { return value.value() == 10; }, 60s));
        CHECK_FALSE(condition.wait_for([&] { return value.value() == 11; }, 20ms));
    }
    counter.join();
}

TEST_CASE("a waiter that was killed takes no notify from the others", "[synchronize]") {
    const mp::Condition condition;
    Tally tally;
    const auto wait = [](mp::Condition c, Tally t, int index) {
        std::scoped_lock guard{c};
        t.add(0, 1);
        if (c.wait()) t.add(index, 1);
    };
    mp::Process doomed(wait, condition, tally, 1);
    doomed.start();
    tally.wait_for(0, 1);
    mp::Process other(wait, condition, tally, 2);
    other.start();
    tally.wait_for(0, 2);
    { std::scoped_lock guard{condition}; } // both wait
    doomed.kill();
    doomed.join();
    {
        std::scoped_lock guard{condition};
        condition.notify();
    }
    tally.wait_for(2, 1);
    other.join();
    CHECK(tally.get(1) == 0);
}
