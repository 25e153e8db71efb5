// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

struct Point {
    int x = 0;
    double y = 0;
};

void put_numbers(mp::Queue<int> queue, int first, int count) {
    for (int i = 0; i < count; ++i) queue.put(first + i);
}

template <class Q>
void double_all(Q in, Q out) {
    for (auto&& item : in) out.put(2 * item);
}

struct Desk {
    mp::Queue<int> in;
    std::vector<mp::Queue<std::string>> out;

    template <class Archive>
    void serialize(Archive& ar) {
        ar(in, out);
    }
};

const mp::Queue<int> global;

template <class Q>
concept CanHold = requires(Q q) { q.get(); };

} // namespace

TEST_CASE("a queue works both ways between a parent and its children", "[queues]") {
    const mp::Queue<long> in;
    const mp::Queue<long> out;
    std::vector<mp::Process> children;
    for (int i = 0; i < 2; ++i) children.emplace_back(double_all<mp::Queue<long>>, in, out);
    for (auto& child : children) child.start();
    for (long i = 1; i <= 1000; ++i) in.put(i);
    long sum = 0;
    for (int i = 0; i < 1000; ++i) sum += out.get();
    CHECK(sum == 1000 * 1001);
    in.shutdown();
    for (auto& child : children) {
        child.join();
        CHECK(child.exitcode() == 0);
    }
}

TEST_CASE("a producer may be joined before its items are read, and all are there", "[queues]") {
    const mp::Queue<int> queue;
    const int count = 1'000'000;
    mp::Process child(put_numbers, queue, 0, count);
    child.start();
    child.join(); // in Python: a deadlock
    CHECK(queue.qsize() == std::size_t{count});
    bool in_order = true;
    for (int i = 0; i < count; ++i) in_order = in_order && queue.get_nowait() == i;
    CHECK(in_order);
    CHECK(queue.empty());
}

TEST_CASE("a put waits while a queue is full, and goes on when there is room", "[queues]") {
    const mp::Queue<int> queue{2};
    CHECK(queue.maxsize() == 2);
    CHECK_FALSE(queue.full());
    queue.put(1);
    CHECK(queue.try_put(2));
    CHECK(queue.full());
    CHECK(queue.qsize() == 2);
    CHECK_FALSE(queue.try_put(3));
    CHECK_THROWS_AS(queue.put_nowait(3), mp::Full);
    CHECK_THROWS_AS(queue.put(3, 5ms), mp::Full);
    CHECK_THROWS_AS(queue.put(3, -5ms), mp::Full);
    CHECK(queue.qsize() == 2);
    mp::Process child(put_numbers, queue, 3, 50);
    child.start();
    for (int i = 1; i < 53; ++i) {
        REQUIRE(queue.get() == i);
        REQUIRE(queue.qsize() <= 2);
    }
    child.join();
}

TEST_CASE("a get from an empty queue waits, or says so", "[queues]") {
    const mp::Queue<int> queue;
    CHECK(queue.empty());
    CHECK(queue.try_get() == std::nullopt);
    CHECK_THROWS_AS(queue.get_nowait(), mp::Empty);
    CHECK_THROWS_AS(queue.get(5ms), mp::Empty);
    CHECK_THROWS_AS(queue.get(-1s), mp::Empty);
    mp::Process child(
        [](mp::Queue<int> q) {
            std::this_thread::sleep_for(50ms);
            q.put(7);
        },
        queue);
    child.start();
    CHECK(queue.get() == 7);
    child.join();
}

TEST_CASE("a blocked get of another process does not make an empty queue look busy", "[queues]") {
    const mp::Queue<int> queue;
    const mp::Event waits;
    mp::Process child(
        [](mp::Queue<int> q, mp::Event e) {
            e.set();
            for (int i = q.get(); i != 2; i = q.get()) {}
        },
        queue, waits);
    child.start();
    waits.wait();
    std::this_thread::sleep_for(20ms);
    CHECK(queue.try_get() == std::nullopt);
    CHECK_THROWS_AS(queue.get(1ms), mp::Empty);
    queue.put(2);
    child.join();
    CHECK(child.exitcode() == 0);
}

TEST_CASE("a queue has a bound that is a number", "[queues]") {
    CHECK_THROWS_AS(mp::Queue<int>(-1), std::invalid_argument);
    CHECK(mp::Queue<int>(0).maxsize() == 0);
    STATIC_REQUIRE(CanHold<mp::Queue<Point>>);
    STATIC_REQUIRE(std::input_iterator<decltype(std::declval<mp::Queue<int>>().begin())>);
    STATIC_REQUIRE(mp::Spawnable<mp::Queue<int>>);
    STATIC_REQUIRE_FALSE(mp::Serializable<mp::Queue<int>>);
}

TEST_CASE("many short-lived queues use up no names of the tree", "[queues]") {
    const auto one = [] {
        const mp::Queue<int> queue;
        queue.put(1);
        return queue.get();
    };
    one();
    auto& member = mp::detail::tree();
    const auto before = member.space.new_incarnation(member.self);
    for (int i = 0; i < 100; ++i) REQUIRE(one() == 1);
    CHECK(member.space.new_incarnation(member.self) == before + 1);
}

TEST_CASE("many queues cost no more each than a few", "[queues]") {
    const auto time_of = [](std::size_t count) {
        const auto begin = std::chrono::steady_clock::now();
        std::vector<mp::Queue<int>> queues(count);
        for (auto& queue : queues) queue.put(1);
        for (auto& queue : queues) CHECK(queue.get() == 1);
        queues.clear();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    time_of(100);
    // 16 times as many take 16 times as long; where each queue looked at all others it was 100 to 200 times. A busy
    // machine lengthens some rounds, never all of them: the quickest of many is compared with the slowest of few.
    double few = time_of(500);
    double many = time_of(8000);
    for (int round = 0; round < 4 && many >= 60 * few; ++round) {
        few = std::max(few, time_of(500));
        many = std::min(many, time_of(8000));
    }
    CHECK(many < 60 * few);
}

TEST_CASE("memory beyond a few segments goes back when a queue is drained, and all of it with the queue",
          "[queues]") {
    const auto& space = mp::detail::tree().space;
    const auto taken = [&] {
        std::uint64_t extents = 0;
        for (std::uint64_t i = space.first_extent(); i < space.high_water(); ++i)
            extents += space.extent(i).owner.load() != 0;
        return extents;
    };
    std::optional<mp::Queue<std::vector<char>>> queue;
    queue.emplace();
    queue->put({});
    const std::uint64_t before = taken();
    for (int i = 0; i < 2000; ++i) queue->put(std::vector<char>(50'000));
    CHECK(taken() > before + 1000);
    for (int i = 0; i < 2001; ++i) queue->get();
    CHECK(taken() < before + 50);
    for (int i = 0; i < 10; ++i) queue->put(std::vector<char>(20'000'000));
    CHECK(taken() > before + 3000);
    for (int i = 0; i < 10; ++i) queue->get();
    CHECK(taken() < before + 1600);
    queue.reset();
    CHECK(taken() < before);
}

TEST_CASE("queues travel nested, to grandchildren, and through initializers", "[queues]") {
    Desk desk;
    desk.out.resize(2);
    mp::Process child(
        [](const Desk& d) {
            mp::Process grandchild([](Desk e) { e.out[1].put("grandchild " + std::to_string(e.in.get())); }, d);
            grandchild.start();
            d.in.put(5);
            grandchild.join();
            d.out[0].put("child");
        },
        desk);
    child.start();
    CHECK(desk.out[0].get() == "child");
    CHECK(desk.out[1].get() == "grandchild 5");
    child.join();

    const mp::Queue<int> pids;
    mp::Pool pool(
        2, [](mp::Queue<int> q) { q.put(mp::current_process().pid()); }, pids);
    CHECK(pids.get() != pids.get());
}

TEST_CASE("tasks use a queue that was made after their workers were started", "[queues]") {
    mp::Pool pool(2);
    CHECK(pool.apply([] { return 1; }) == 1);
    const mp::Queue<int> queue;
    pool.starmap([](mp::Queue<int> q, int i) { q.put(i); },
                 std::vector<std::tuple<mp::Queue<int>, int>>{{queue, 1}, {queue, 2}, {queue, 3}});
    CHECK(queue.get() + queue.get() + queue.get() == 6);
}

TEST_CASE("a queue that was not passed to a child cannot be used there", "[queues]") {
    global.put(1);
    mp::Process child([] {
        try {
            global.put(2);
        } catch (const std::logic_error&) { std::exit(5); }
    });
    child.start();
    child.join();
    CHECK(child.exitcode() == 5);
    CHECK(global.get() == 1);
}

#if !defined(_WIN32)
TEST_CASE("a copy of this process that a fork of the program's own made uses its queues", "[queues]") {
    const mp::Queue<std::string> queue;
    queue.put("before");
    const pid_t child = ::fork();
    if (child == 0) {
        const bool right = queue.get() == "before";
        queue.put(right ? "from the copy" : "wrong");
        ::_exit(0);
    }
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(queue.get() == "from the copy");
    CHECK(queue.empty());
}
#endif
