// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

using namespace process;

TEST_CASE("after a shutdown what is in the queue is drained, then everybody is told", "[queues]") {
    const mp::Queue<int> queue;
    queue.put(1);
    queue.put(2);
    queue.shutdown();
    CHECK_THROWS_AS(queue.put(3), mp::ShutDown);
    CHECK_THROWS_AS(queue.try_put(3), mp::ShutDown);
    CHECK(queue.get() == 1);
    CHECK(queue.try_get() == 2);
    CHECK_THROWS_AS(queue.get(), mp::ShutDown);
    CHECK_THROWS_AS(queue.try_get(), mp::ShutDown);
    for (int item : queue) FAIL("taken out of an empty queue: " << item);
    queue.shutdown(); // a second time changes nothing
}

TEST_CASE("a shutdown ends those who wait in put and get", "[queues]") {
    const mp::Queue<int> full{1};
    full.put(0);
    const mp::Queue<int> empty;
    const mp::Semaphore ready{0};
    mp::Process putting(
        [](mp::Queue<int> q, mp::Semaphore s) {
            s.release();
            try {
                q.put(1);
            } catch (const mp::ShutDown&) { std::exit(3); }
        },
        full, ready);
    mp::Process getting(
        [](mp::Queue<int> q, mp::Semaphore s) {
            s.release();
            try {
                q.get();
            } catch (const mp::ShutDown&) { std::exit(4); }
        },
        empty, ready);
    putting.start();
    getting.start();
    ready.acquire();
    ready.acquire();
    std::this_thread::sleep_for(20ms);
    full.shutdown();
    empty.shutdown();
    putting.join();
    getting.join();
    CHECK(putting.exitcode() == 3);
    CHECK(getting.exitcode() == 4);
    CHECK(full.get() == 0);
}

TEST_CASE("what was put before a shutdown is never lost to it", "[queues]") {
    for (int round = 0; round < 20; ++round) {
        const mp::Queue<int> queue;
        const mp::Value<int> done{0};
        mp::Process child(
            [](mp::Queue<int> q, mp::Value<int> d) {
                try {
                    for (;;) {
                        q.put(1);
                        d += 1;
                    }
                } catch (const mp::ShutDown&) {}
            },
            queue, done);
        child.start();
        int taken = 0;
        std::thread ends([&] {
            while (done.value() == 0) std::this_thread::yield();
            queue.shutdown();
        });
        for (int item : queue) taken += item;
        ends.join();
        child.join();
        REQUIRE(taken == done.value());
    }
}

TEST_CASE("who cannot have an end of a queue that was shut down is told so", "[queues]") {
    for (int round = 0; round < 20; ++round) {
        const mp::Queue<int> empty;
        const mp::Event waits;
        mp::Process child(
            [](mp::Queue<int> q, mp::Event e) {
                e.set();
                try {
                    q.get();
                } catch (const mp::ShutDown&) {}
            },
            empty, waits);
        child.start();
        waits.wait();
        if (round % 2) std::this_thread::sleep_for(2ms);
        empty.shutdown();
        REQUIRE_THROWS_AS(empty.try_get(), mp::ShutDown);
        child.join();
    }
}

TEST_CASE("closing concerns this process only", "[queues]") {
    const mp::Queue<int> queue;
    CHECK_THROWS_AS(queue.join_thread(), std::logic_error);
    const auto copy = queue;
    queue.close();
    queue.close();
    CHECK_THROWS_AS(queue.put(1), std::invalid_argument);
    CHECK_THROWS_AS(copy.get(), std::invalid_argument);
    queue.join_thread();
    queue.cancel_join_thread();
    mp::Process child(
        [](mp::Queue<int> q) {
            q.put(1);
            q.close();
            q.join_thread();
        },
        queue);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(queue.qsize() == 1);
}

TEST_CASE("empty() of a queue that was used and closed is an error", "[queues]") {
    const auto closed_for = [](const auto& queue) {
        try {
            static_cast<void>(queue.empty());
            return false;
        } catch (const std::system_error& error) { return error.code() == std::errc::bad_file_descriptor; }
    };
    const mp::Queue<int> unused;
    const mp::JoinableQueue<int> unused_joinable;
    unused.close();
    unused_joinable.close();
    CHECK(unused.empty());
    CHECK(unused_joinable.empty());
    const mp::Queue<int> used;
    const mp::JoinableQueue<int> used_joinable;
    used.put(1);
    used_joinable.put(1);
    used.close();
    used_joinable.close();
    CHECK(closed_for(used));
    CHECK(closed_for(used_joinable));
    CHECK_THROWS_AS(used.put(1), std::invalid_argument);
    const mp::SimpleQueue<int> simple;
    CHECK(simple.empty());
    simple.close();
    CHECK(closed_for(simple));
}

TEST_CASE("what a killed process had put stays, and those who wait with it go on", "[queues]") {
    const mp::Queue<int> queue;
    std::vector<mp::Process> waiting;
    for (int i = 0; i < 3; ++i) waiting.emplace_back([](mp::Queue<int> q) { q.get(); }, queue);
    for (auto& child : waiting) child.start();
    std::this_thread::sleep_for(50ms);
    for (int i = 0; i < 2; ++i) { // perhaps the one who stands first in line
        waiting[static_cast<std::size_t>(i)].kill();
        waiting[static_cast<std::size_t>(i)].join();
    }
    mp::Process killed(
        [](mp::Queue<int> q) {
            q.put(1);
            q.put(2);
            std::this_thread::sleep_for(60s);
        },
        queue);
    killed.start();
    waiting[2].join();
    CHECK(waiting[2].exitcode() == 0);
    CHECK(queue.get() == 2);
    killed.kill();
    killed.join();
    CHECK(queue.empty());
}
