// SPDX-License-Identifier: BSL-1.0
// What several threads do with one result. ThreadSanitizer runs these cases, too.
#include <support/processes.hpp>

#include <support/killer.hpp>

#include <multiprocessing/pool.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

int after_a_moment(int x) {
    std::this_thread::sleep_for(std::chrono::microseconds{x % 5 * 100});
    return x;
}

std::string spell(int x) { return std::string(100, static_cast<char>('a' + x % 26)); }

/// Runs `act(number)` in so many threads at once.
template <class Act>
void in_threads(int count, Act act) {
    std::atomic<int> waiting{count};
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            --waiting;
            while (waiting > 0) std::this_thread::yield();
            act(i);
        });
    }
}

/// Its deserialization, in this process, runs a function of the test's.
struct Slowly {
    static inline std::function<void()> reading;
    int value = 0;

    template <class Archive>
    void serialize(Archive& ar) {
        ar(value);
        if (reading) reading();
    }
};

/// Opened once, for any number of threads.
class Gate {
public:
    void open() {
        std::lock_guard lock{mutex_};
        open_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};

} // namespace

TEST_CASE("threads that wait for copies of one result all get it", "[pool]") {
    mp::Pool pool(1);
    std::atomic<int> wrong{0};
    for (const int threads : {2, 8}) {
        const int rounds = support::rounds(threads == 2 ? 300 : 60);
        for (int round = 0; round < rounds; ++round) {
            const auto result = pool.apply_async(after_a_moment, round);
            in_threads(threads, [&wrong, round, copy = result](int number) {
                switch (number % 4) {
                case 0: wrong += copy.get() != round; break;
                case 1: wrong += copy.get(60s) != round; break;
                case 2: wrong += !copy.wait() || copy.get() != round; break;
                default:
                    while (!copy.ready()) std::this_thread::yield();
                    wrong += !copy.successful() || copy.get() != round;
                }
            });
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("threads get an exception of one result, each of them", "[pool]") {
    mp::Pool pool(1);
    std::atomic<int> caught{0};
    for (int round = 0; round < support::rounds(50); ++round) {
        const auto result = pool.apply_async([] { throw std::domain_error("for all"); });
        in_threads(4, [&, copy = result](int) {
            try {
                copy.get();
            } catch (const std::domain_error&) { ++caught; }
            if (!copy.successful()) ++caught;
        });
    }
    CHECK(caught == support::rounds(50) * 8);
}

TEST_CASE("a result is moved out once, whole, while others copy it", "[pool]") {
    mp::Pool pool(1);
    std::atomic<int> wrong{0};
    std::atomic<int> moved{0};
    for (int round = 0; round < support::rounds(150); ++round) {
        const auto result = pool.apply_async(spell, round);
        const std::string expected = spell(round);
        std::atomic<int> moved_now{0};
        in_threads(8, [&, copy = result](int number) mutable {
            try {
                wrong += (number % 2 ? std::move(copy).get() : copy.get()) != expected;
                moved_now += number % 2;
            } catch (const std::logic_error&) {} // it was moved out
        });
        wrong += moved_now != 1;
        moved += moved_now;
    }
    CHECK(wrong == 0);
    CHECK(moved == support::rounds(150));
}

TEST_CASE("threads wait for one map, and its progress is shown once at a time", "[pool]") {
    mp::Pool pool(2);
    std::vector<int> items(200);
    std::iota(items.begin(), items.end(), 0);
    std::atomic<int> inside{0};
    std::atomic<int> two_at_once{0};
    std::atomic<int> ends{0};
    std::atomic<int> wrong{0};
    const auto progress = [&](const mp::ProgressReport& report) {
        two_at_once += inside.fetch_add(1) != 0;
        std::this_thread::sleep_for(5ms);
        ends += report.done == report.total;
        --inside;
    };
    const auto slow = [](int x) {
        std::this_thread::sleep_for(2ms);
        return x;
    };
    const auto result = pool.map_async(slow, items, {.progress = progress});
    in_threads(4, [&, copy = result](int number) {
        if (number == 0) wrong += !copy.wait();
        wrong += copy.get() != items;
    });
    CHECK(wrong == 0);
    CHECK(two_at_once == 0);
    CHECK(ends >= 1);
}

TEST_CASE("progress is counted while workers die", "[pool]") {
    const ExpectedLog log{""};
    mp::Pool pool(2);
    std::vector<int> items(60);
    std::iota(items.begin(), items.end(), 0);
    const auto dies = [](int x) {
        std::this_thread::sleep_for(5ms);
        if (x % 10 == 5) mp::detail::platform::exit_now(1);
        return x;
    };
    std::size_t last = 0;
    std::size_t too_many = 0;
    const auto progress = [&](const mp::ProgressReport& report) {
        last = report.done;
        too_many += report.done > report.total;
    };
    CHECK_THROWS_AS(pool.map(dies, items, {.chunksize = 20, .progress = progress}), mp::WorkerLostError);
    CHECK(last == items.size());
    CHECK(too_many == 0);
}

TEST_CASE("while one thread deserializes a result, the others can ask and wait", "[pool]") {
    mp::Pool pool(1);
    Gate begun;
    Gate may_end;
    const auto result = pool.apply_async([](int x) { return Slowly{x}; }, 7);
    result.wait();
    Slowly::reading = [&] {
        begun.open();
        may_end.wait();
    };
    std::atomic<int> got{0};
    {
        std::jthread reader([&, copy = result] { got += copy.get().value; });
        begun.wait();
        CHECK(result.ready());
        CHECK(result.wait());
        CHECK_THROWS_AS(result.get(50ms), mp::TimeoutError);
        std::jthread waiter([&, copy = result] { got += copy.get().value; });
        std::this_thread::sleep_for(20ms);
        CHECK(got == 0);
        may_end.open();
    }
    Slowly::reading = nullptr;
    CHECK(got == 14);
    CHECK(result.get().value == 7);
}

TEST_CASE("a result that its own deserialization asks for is an error", "[pool]") {
    mp::Pool pool(1);
    const auto result = pool.apply_async([](int x) { return Slowly{x}; }, 7);
    Slowly::reading = [&] { result.get(); };
    CHECK_THROWS_AS(result.get(), std::logic_error);
    Slowly::reading = nullptr;
    CHECK_FALSE(result.successful());
}

TEST_CASE("deserializing a result may use its pool", "[pool]") {
    mp::Pool pool(1);
    int more = 0;
    const auto result = pool.apply_async([](int x) { return Slowly{x}; }, 7);
    Slowly::reading = [&] { more = pool.apply(after_a_moment, 3); };
    CHECK(result.get().value == 7);
    Slowly::reading = nullptr;
    CHECK(more == 3);
}

TEST_CASE("threads that wait get CancelledError when another terminates the pool", "[pool]") {
    for (int round = 0; round < support::rounds(10); ++round) {
        mp::Pool pool(1);
        const std::vector<int> items(8, 1);
        const auto slow = [](int x) {
            std::this_thread::sleep_for(60s);
            return x;
        };
        const auto map = pool.map_async(slow, items, {.chunksize = 8});
        const auto task = pool.apply_async(slow, 1);
        std::atomic<int> cancelled{0};
        std::atomic<int> results{0};
        in_threads(4, [&](int number) {
            if (number == 3) return pool.terminate();
            try {
                if (number == 0) {
                    task.get();
                } else {
                    while (number == 1 && !map.ready()) {}
                    map.get();
                }
                ++results;
            } catch (const mp::CancelledError&) { ++cancelled; }
        });
        CHECK(results == 0);
        CHECK(cancelled == 3);
    }
}

TEST_CASE("threads submit, drop and read results of one pool", "[pool]") {
    const ExpectedLog log{""};
    mp::Pool pool(2);
    std::atomic<int> wrong{0};
    in_threads(4, [&](int number) {
        for (int i = 0; i < support::rounds(100); ++i) {
            if (number % 2) {
                pool.apply_async(spell, i);
            } else {
                const auto result = pool.apply_async(after_a_moment, i % 3);
                const auto copy = result;
                wrong += copy.get() != i % 3;
            }
        }
    });
    CHECK(wrong == 0);
}
