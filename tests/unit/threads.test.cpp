// SPDX-License-Identifier: BSL-1.0
// What several threads of one process do with one object: a run under ThreadSanitizer looks at it, too.
#include <support/catch.hpp>

#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// Runs `work(number)` in `count` threads at once.
template <class Work>
void in_threads(int count, Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
    for (auto& thread : threads) thread.join();
}

} // namespace

TEST_CASE("threads put into and take from one queue, each item once", "[queues]") {
    const std::size_t maxsize = GENERATE(std::size_t{0}, std::size_t{3});
    const mp::Queue<std::string> queue{maxsize};
    std::atomic<int> taken{0};
    constexpr int each = 300;
    in_threads(4, [&](int number) {
        for (int i = 0; i < each; ++i) {
            if (number % 2 == 0) {
                // Every tenth is followed part by part while it is put.
                queue.put(std::string(i % 10 == 0 && maxsize == 0 ? 700'000 : 100, 'x'));
                static_cast<void>(queue.qsize() + queue.full());
            } else {
                const std::string item = i % 3 == 0 ? queue.get(60s) : queue.get();
                if (item.front() == 'x' && item.back() == 'x') ++taken;
            }
        }
    });
    CHECK(taken == 2 * each);
    CHECK(queue.empty());
}

TEST_CASE("threads use one fresh queue at once, and end it at once", "[queues]") {
    for (int round = 0; round < 50; ++round) {
        const mp::JoinableQueue<int> queue;
        std::atomic<int> ended{0};
        in_threads(4, [&](int number) {
            try {
                queue.put(number);
                if (number == 3) queue.shutdown(); // others may not have put, or may be waiting already
                for (;;) {
                    static_cast<void>(queue.get());
                    queue.task_done();
                }
            } catch (const mp::ShutDown&) { ++ended; }
        });
        CHECK(ended == 4);
        queue.close();
    }
}

TEST_CASE("threads take turns by one lock, semaphore, condition and barrier", "[synchronize]") {
    const mp::Lock lock;
    const mp::Semaphore semaphore{1};
    const mp::Condition condition;
    const mp::Barrier barrier(3);
    int by_lock = 0;
    int by_semaphore = 0;
    int turn = 0;
    in_threads(3, [&](int number) {
        for (int i = 0; i < 200; ++i) {
            {
                const std::scoped_lock guard{lock};
                ++by_lock;
            }
            {
                const std::scoped_lock guard{semaphore};
                ++by_semaphore;
            }
            {
                const std::scoped_lock guard{condition};
                condition.wait_for([&] { return turn % 3 == number; });
                ++turn;
                condition.notify_all();
            }
            barrier.wait();
        }
    });
    CHECK(by_lock == 600);
    CHECK(by_semaphore == 600);
    CHECK(turn == 600);
}

TEST_CASE("an instant that is long past or far away is as good as any other", "[synchronize]") {
    const mp::Semaphore none(0);
    const mp::Semaphore some(3);
    using Steady = std::chrono::steady_clock;
    using System = std::chrono::system_clock;
    using Hours = std::chrono::time_point<System, std::chrono::duration<std::int64_t, std::ratio<3600>>>;
    CHECK_FALSE(none.try_lock_until((Steady::time_point::min)()));
    CHECK_FALSE(none.try_lock_until((System::time_point::min)()));
    CHECK_FALSE(none.try_lock_until((Hours::min)()));
    CHECK_FALSE(none.try_lock_until(Steady::now() + 5ms));
    CHECK(some.try_lock_until((Steady::time_point::max)()));
    CHECK(some.try_lock_until((System::time_point::max)()));
    CHECK(some.try_lock_until((Hours::max)()));
}
