// SPDX-License-Identifier: BSL-1.0
// ThreadPool and ThreadPoolExecutor. ThreadSanitizer runs these cases, too.
#include <support/processes.hpp>

#include <multiprocessing/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;
using mp::pool::ThreadPool;
using Executor = mp::futures::ThreadPoolExecutor;

namespace {

int squared(int x) { return x * x; }
long power(long base, int exponent) {
    long result = 1;
    while (exponent-- > 0) result *= base;
    return result;
}
int no_two(int x) {
    if (x == 2) throw std::domain_error("two");
    return x;
}

/// Holds threads until it is opened.
struct Gate {
    std::promise<void> promise;
    std::shared_future<void> opened = promise.get_future().share();
    std::atomic<int> arrived{0};

    void open() { promise.set_value(); }
    void pass() {
        ++arrived;
        opened.wait();
    }
    void wait_for(int threads) const {
        while (arrived < threads) std::this_thread::yield();
    }
};

/// Of no use in another process, nor to be copied.
struct Held {
    std::unique_ptr<int> value;
    void* self = this;
};

} // namespace

TEST_CASE("a thread calls whatever can be invoked", "[thread_pool]") {
    ThreadPool pool(2);
    int factor = 7;
    CHECK(pool.apply([&](int x) { return x * factor; }, 6) == 42);
    CHECK(pool.apply(std::function<int(int)>(squared), 3) == 9);
    CHECK(pool.apply(&std::string::size, std::string("four")) == 4);
    CHECK(*pool.apply([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5)) == 5);
    CHECK(pool.apply([p = std::make_unique<int>(6)] { return *p; }) == 6);
    CHECK(pool.apply([](std::string& text) { return text += "!"; }, std::string("a")) == "a!");
    CHECK(pool.apply([](int& x) { return ++x; }, std::ref(factor)) == 8);
    CHECK(factor == 8);
    pool.apply([] {});
    CHECK(pool.apply([] { return std::this_thread::get_id(); }) != std::this_thread::get_id());
}

TEST_CASE("the caller catches the very object that the task threw", "[thread_pool]") {
    struct Mine {
        std::shared_ptr<int> mark;
    };
    ThreadPool pool(1);
    const auto mark = std::make_shared<int>(1);
    const auto result = pool.apply_async([&] { throw Mine{mark}; });
    const Mine* first = nullptr;
    for (int i = 0; i < 2; ++i) {
        try {
            result.get();
            FAIL("no exception");
        } catch (const Mine& caught) {
            CHECK(caught.mark == mark);
            CHECK((!first || first == &caught));
            first = &caught;
        }
    }
    CHECK_FALSE(result.successful());
}

TEST_CASE("maps on threads keep the order of the items", "[thread_pool]") {
    ThreadPool pool(3);
    std::vector<int> items(200);
    std::iota(items.begin(), items.end(), 0);
    std::vector<int> squares;
    for (const int x : items) squares.push_back(squared(x));
    CHECK(pool.map(squared, items) == squares);
    CHECK(pool.map(squared, std::views::iota(0, 200), {.chunksize = 7}) == squares);
    CHECK(pool.map_async(squared, items).get() == squares);
    CHECK(pool.map(squared, {1, 2, 3}) == std::vector{1, 4, 9});
    CHECK(pool.map(squared, std::vector<int>{}).empty());
    CHECK(pool.map([](bool b) { return !b; }, std::vector<bool>{true, false}) ==
          std::vector<bool>{false, true});
    CHECK(pool.starmap(power, {{2, 10}, {3, 4}}) == std::vector{1024L, 81L});
    CHECK(pool.starmap_async(power, std::map<int, int>{{2, 3}, {5, 2}}).get() == std::vector{8L, 25L});
    std::atomic<int> sum{0};
    pool.map([&](int x) { sum += x; }, items);
    CHECK(sum == 199 * 100);
}

TEST_CASE("a map takes items that are moved, and results that cannot be copied", "[thread_pool]") {
    ThreadPool pool(2);
    std::vector<std::unique_ptr<int>> items;
    for (int i = 0; i < 5; ++i) items.push_back(std::make_unique<int>(i));
    auto results = pool.map([](std::unique_ptr<int> p) { return Held{std::move(p)}; }, std::move(items));
    REQUIRE(results.size() == 5);
    CHECK(*results[4].value == 4);
}

TEST_CASE("a map throws the error that is first in input order when all items have ended", "[thread_pool]") {
    std::atomic<int> ran{0};
    ThreadPool pool(2);
    const auto fails = [&](int x) {
        ++ran;
        if (x >= 3) throw std::runtime_error(std::to_string(x));
        return x;
    };
    CHECK_THROWS_WITH(pool.map(fails, std::views::iota(0, 20)), "3");
    CHECK(ran == 20);
}

TEST_CASE("fail_fast begins no item after the first failure", "[thread_pool]") {
    std::atomic<int> ran{0};
    ThreadPool pool(1);
    const auto fails = [&](int x) {
        ++ran;
        return no_two(x);
    };
    CHECK_THROWS_AS(pool.map(fails, std::views::iota(0, 20), {.fail_fast = true}), std::domain_error);
    CHECK(ran == 3);
    const auto outcomes = pool.try_map(no_two, {1, 2, 3}, {.fail_fast = true});
    CHECK(*outcomes[0] == 1);
    CHECK_THROWS_AS(outcomes[1].value(), std::domain_error);
    CHECK_THROWS_AS(outcomes[2].value(), mp::CancelledError);
}

TEST_CASE("try_map gives what came of each item", "[thread_pool]") {
    ThreadPool pool(2);
    const auto outcomes = pool.try_map(no_two, {1, 2, 3});
    REQUIRE(outcomes.size() == 3);
    CHECK(*outcomes[0] == 1);
    CHECK_THROWS_WITH(outcomes[1].value(), "two");
    CHECK(*outcomes[2] == 3);
    CHECK(pool.try_map([](int) {}, {1})[0].has_value());
}

TEST_CASE("imap gives results in order and goes on after an error", "[thread_pool]") {
    ThreadPool pool(2);
    auto results = pool.imap(no_two, {1, 2, 3});
    CHECK(results.next() == 1);
    CHECK_THROWS_AS(results.next(), std::domain_error);
    CHECK(results.next(60s) == 3);
    CHECK_FALSE(results.next());
    std::vector<int> seen;
    for (const int x : pool.imap(squared, std::views::iota(0, 50))) seen.push_back(x);
    CHECK(seen.size() == 50);
    CHECK(std::ranges::is_sorted(seen));
}

TEST_CASE("imap reads its input no further than the buffersize", "[thread_pool]") {
    ThreadPool pool(2);
    int read = 0;
    auto endless = std::views::iota(0) | std::views::transform([&](int x) {
                       read = x + 1;
                       return x;
                   });
    auto results = pool.imap(squared, endless, {.buffersize = 5});
    CHECK(read == 5);
    for (int i = 0; i < 10; ++i) CHECK(results.next() == i * i);
    CHECK(read <= 15);
}

TEST_CASE("imap times out and loses nothing", "[thread_pool]") {
    Gate gates[2];
    ThreadPool pool(1);
    for (const bool ordered : {true, false}) {
        Gate& each = gates[ordered];
        const auto slow = [&](int x) {
            each.pass();
            return x;
        };
        auto results = ordered ? pool.imap(slow, {7}) : pool.imap_unordered(slow, {7});
        CHECK_THROWS_AS(results.next(10ms), mp::TimeoutError);
        each.open();
        CHECK(results.next() == 7);
        CHECK_FALSE(results.next());
    }
}

TEST_CASE("imap_unordered gives results as they end", "[thread_pool]") {
    Gate gate;
    ThreadPool pool(2);
    const auto waits = [&](int x) {
        if (x == 0) gate.pass();
        return x;
    };
    auto results = pool.imap_unordered(waits, {0, 1, 2});
    CHECK(results.next() == 1);
    CHECK(results.next() == 2);
    gate.open();
    CHECK(results.next() == 0);
    CHECK_FALSE(results.next());
    std::set<int> all;
    for (const int x : pool.imap_unordered(squared, std::views::iota(0, 300))) all.insert(x);
    CHECK(all.size() == 300);
}

TEST_CASE("what an input range throws comes behind the results before it", "[thread_pool]") {
    ThreadPool pool(1);
    auto input = std::views::iota(0) | std::views::transform(no_two);
    auto results = pool.imap(squared, input);
    CHECK(results.next() == 0);
    CHECK(results.next() == 1);
    CHECK_THROWS_AS(results.next(), std::domain_error);
    CHECK_FALSE(results.next());
}

TEST_CASE("an iterator that is dropped takes back what has not begun", "[thread_pool]") {
    Gate gate;
    std::atomic<int> ran{0};
    ThreadPool pool(1);
    {
        auto results = pool.imap(
            [&](int) {
                ++ran;
                gate.pass();
            },
            std::views::iota(0), {.buffersize = 10});
        gate.wait_for(1);
    }
    gate.open();
    pool.apply([] {});
    CHECK(ran == 1);
}

TEST_CASE("cancel takes back what has not begun, and kill is cancel", "[thread_pool]") {
    Gate gate;
    ThreadPool pool(1);
    const auto running = pool.apply_async([&] { gate.pass(); });
    gate.wait_for(1);
    std::atomic<int> ran{0};
    const auto task = pool.apply_async([&] { ++ran; });
    const auto map = pool.map_async([&](int) { ++ran; }, {1, 2, 3});
    CHECK_FALSE(running.cancel());
    CHECK_FALSE(running.kill());
    CHECK(task.cancel());
    CHECK_FALSE(task.cancel());
    CHECK(map.kill());
    CHECK_THROWS_AS(task.get(), mp::CancelledError);
    CHECK_THROWS_AS(map.get(), mp::CancelledError);
    gate.open();
    running.get();
    pool.apply([] {});
    CHECK(ran == 0);
}

TEST_CASE("terminate gives up what waits and not what runs", "[thread_pool]") {
    Gate gate;
    ThreadPool pool(1);
    const auto running = pool.apply_async([&] {
        gate.pass();
        return 5;
    });
    gate.wait_for(1);
    const auto waiting = pool.map_async(squared, {1, 2, 3});
    pool.terminate();
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    CHECK_FALSE(pool.join(10ms));
    CHECK_THROWS_AS(pool.apply(squared, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.map(squared, {1}), std::invalid_argument);
    CHECK_THROWS_AS(pool.imap(squared, {1}), std::invalid_argument);
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.ThreadPool state=TERMINATE pool_size=1>");
    gate.open();
    CHECK(pool.join(60s));
    CHECK(running.get() == 5);
}

TEST_CASE("the destructor of a ThreadPool waits for what runs, never for what waits", "[thread_pool]") {
    const ExpectedLog log{"work that is not done"};
    std::atomic<bool> has_ended{false};
    std::optional<mp::AsyncResult<int>> waiting;
    {
        ThreadPool pool(1);
        std::atomic<bool> has_begun{false};
        pool.apply_async([&] {
            has_begun = true;
            std::this_thread::sleep_for(50ms);
            has_ended = true;
        });
        while (!has_begun) std::this_thread::yield();
        waiting = pool.apply_async(squared, 3);
    }
    CHECK(has_ended);
    CHECK_THROWS_AS(waiting->get(), mp::CancelledError);
    CHECK(log.seen());
}

TEST_CASE("a ThreadPool that joins at its end does all work", "[thread_pool]") {
    std::atomic<int> ran{0};
    {
        ThreadPool pool({.processes = 2, .on_exit = mp::OnExit::join});
        for (int i = 0; i < 20; ++i) pool.apply_async([&] { ++ran; });
    }
    CHECK(ran == 20);
}

TEST_CASE("close lets the work end, and join waits for it", "[thread_pool]") {
    ThreadPool pool(2);
    CHECK_THROWS_AS(pool.join(), std::invalid_argument);
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.ThreadPool state=RUN pool_size=2>");
    std::atomic<int> ran{0};
    for (int i = 0; i < 50; ++i) pool.apply_async([&] { ++ran; });
    pool.close();
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.ThreadPool state=CLOSE pool_size=2>");
    CHECK(pool.join());
    CHECK(pool.join());
    CHECK(ran == 50);
}

TEST_CASE("an imap over threads that has begun is read to its end though its pool is closed", "[thread_pool]") {
    ThreadPool pool(2);
    auto results = pool.imap(squared, std::views::iota(0, 500), {.buffersize = 4});
    auto left = pool.imap_unordered(squared, std::views::iota(0), {.buffersize = 4});
    pool.close();
    CHECK_THROWS_AS(pool.imap(squared, {1}), std::invalid_argument);
    int wrong = 0;
    for (int i = 0; i < 500; ++i) wrong += results.next() != squared(i);
    CHECK(wrong == 0);
    CHECK_FALSE(results.next());
    CHECK(pool.join(60s)); // waits for no reader
    int read = 0;
    CHECK_THROWS_AS(
        [&] {
            while (left.next()) ++read;
        }(),
        std::invalid_argument);
    CHECK(read == 4);
}

TEST_CASE("callbacks run one at a time, may use a pool of one thread, and what they throw is logged",
          "[thread_pool]") {
    const ExpectedLog log{"a callback of a result threw"};
    std::vector<int> seen; // of the thread for callbacks
    ThreadPool pool(1);
    pool.apply_async(squared, 5).then([&](int x) { seen.push_back(pool.apply(squared, x)); });
    pool.apply_async(no_two, 2).then([](int) {},
                                     [&](const std::exception_ptr& error) {
                                         seen.push_back(error ? -1 : 0);
                                         throw std::runtime_error("of a callback");
                                     });
    const auto map = pool.map_async(squared, {1, 2});
    map.then([&](const std::vector<int>& all) { seen.push_back(all.back()); });
    map.wait();
    pool.apply([] {});
    while (!log.seen()) std::this_thread::sleep_for(1ms);
    pool.close();
    CHECK(pool.join());
    CHECK(std::set(seen.begin(), seen.end()) == std::set{625, -1, 4});
}

TEST_CASE("the last callback may destroy the pool", "[thread_pool]") {
    std::promise<void> destroyed;
    auto pool = std::make_unique<ThreadPool>(1);
    Gate gate;
    pool->apply_async([&] { gate.pass(); }).then([&] {
        pool.reset();
        destroyed.set_value();
    });
    gate.open();
    destroyed.get_future().wait();
    CHECK_FALSE(pool);
}

TEST_CASE("a task may submit, wait and join its pool", "[thread_pool]") {
    ThreadPool pool(2);
    CHECK(pool.apply([&] { return pool.apply(squared, 4); }) == 16);
    const auto joined = pool.apply_async([&] {
        pool.close();
        return pool.join();
    });
    CHECK(joined.get());
    CHECK(pool.join());
}

TEST_CASE("the error of a result that nobody asks for is logged", "[thread_pool]") {
    const ExpectedLog log{"a task whose result nobody waits for failed"};
    ThreadPool pool(1);
    pool.apply_async(no_two, 2);
    pool.close();
    pool.join();
    CHECK(log.seen());
}

TEST_CASE("each thread runs the initializer first", "[thread_pool]") {
    static thread_local int prepared = 0;
    std::atomic<int> threads{0};
    const auto prepare = [&](int value, const std::string& text) {
        prepared = value + static_cast<int>(text.size());
        ++threads;
    };
    ThreadPool pool(3, prepare, 40, "ab");
    CHECK(pool.map([](int) { return prepared; }, std::vector<int>(20)) == std::vector<int>(20, 42));
    pool.close();
    pool.join();
    CHECK(threads == 3);
    Executor executor({.max_workers = 1}, prepare, 1, "");
    CHECK(executor.submit([] { return prepared; }).result() == 1);
}

TEST_CASE("an initializer that throws breaks the pool and the executor", "[thread_pool]") {
    Gate gate;
    const auto fails = [&] {
        gate.pass();
        throw std::domain_error("not ready");
    };
    {
        ThreadPool pool(1, fails);
        const auto result = pool.apply_async(squared, 2);
        gate.open();
        CHECK_THROWS_AS(result.get(), std::domain_error);
        CHECK_THROWS_AS(pool.apply(squared, 2), std::domain_error);
    }
    Executor executor(1, fails);
    const auto future = executor.submit(squared, 2);
    CHECK_THROWS_AS(future.result(), std::domain_error);
    CHECK_THROWS_AS(executor.submit(squared, 2), std::domain_error);
    CHECK(mp::to_string(executor) == "<multiprocessing.futures.ThreadPoolExecutor state=broken max_workers=1>");
}

TEST_CASE("options of processes are refused by threads", "[thread_pool]") {
    CHECK_THROWS_AS(ThreadPool({.maxtasksperchild = 1}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.start_method = mp::StartMethod::spawn}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.timeout = 1s}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.memory_limit = 1}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.env = {{"A", "b"}}}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool({.cwd = "/"}), std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool(4097), std::invalid_argument);
    CHECK_THROWS_AS(Executor({.max_tasks_per_child = 1}), std::invalid_argument);
    CHECK_THROWS_AS(Executor({.idle_timeout = 1s}), std::invalid_argument);
    ThreadPool pool({.processes = 1, .timeout = mp::no_timeout});
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = 1s}, squared, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.map(squared, {1}, {.retries = 1}), std::invalid_argument);
    CHECK(pool.apply_async(mp::TaskOptions{.priority = mp::Priority::high}, squared, 2).get() == 4);
}

TEST_CASE("urgent work comes first", "[thread_pool]") {
    Gate gate;
    ThreadPool pool(1);
    pool.apply_async([&] { gate.pass(); });
    gate.wait_for(1);
    std::string order; // of the one thread
    const auto add = [&](char c) { order += c; };
    pool.apply_async(mp::TaskOptions{.priority = mp::Priority::low}, add, 'l');
    pool.apply_async(add, 'n');
    pool.apply_async(mp::TaskOptions{.priority = mp::Priority::high}, add, 'h');
    const auto last = pool.apply_async(mp::TaskOptions{.priority = mp::Priority::low}, add, 'L');
    gate.open();
    last.get();
    CHECK(order == "hnlL");
}

TEST_CASE("a map on threads shows its progress", "[thread_pool]") {
    ThreadPool pool(2);
    std::size_t done = 0;
    const auto progress = [&](const mp::ProgressReport& report) { done = report.done; };
    pool.map([](int) { std::this_thread::sleep_for(5ms); }, std::vector<int>(50), {.progress = progress});
    CHECK(done == 50);
    done = 0;
    for (const int x : pool.imap(squared, std::vector<int>(9), {.progress = progress})) CHECK(x == 0);
    CHECK(done == 9);
}

TEST_CASE("an executor makes threads when there is work for them", "[thread_pool]") {
    Gate gate;
    std::mutex mutex;
    std::set<std::thread::id> ids;
    Executor executor(8);
    for (int i = 0; i < 20; ++i) {
        executor
            .submit([&] {
                std::lock_guard lock{mutex};
                ids.insert(std::this_thread::get_id());
            })
            .result();
        std::this_thread::sleep_for(1ms);
    }
    CHECK(ids.size() < 8);
    std::vector<mp::futures::Future<void>> futures;
    for (int i = 0; i < 8; ++i) futures.push_back(executor.submit([&] { gate.pass(); }));
    gate.wait_for(8);
    gate.open();
    CHECK(mp::futures::wait(futures, 60s).not_done.empty());
    CHECK(mp::to_string(executor) ==
          "<multiprocessing.futures.ThreadPoolExecutor state=running max_workers=8>");
}

TEST_CASE("an executor maps over several ranges, with a buffer and a time limit", "[thread_pool]") {
    Gate gate;
    Executor executor(2);
    std::vector<long> all;
    for (const long x : executor.map(power, std::vector{2L, 3L, 4L}, std::vector{1, 2})) all.push_back(x);
    CHECK(all == std::vector{2L, 9L});
    const auto sum = [](int a, int b, int c, int d, int e) { return a + b + c + d + e; };
    const std::vector ones(3, 1);
    for (const int x : executor.map(sum, mp::MapOptions{}, ones, ones, ones, ones, ones)) CHECK(x == 5);
    int expected = 0;
    for (const int x : executor.map(squared, std::views::iota(0), {.buffersize = 3})) {
        CHECK(x == expected * expected);
        if (++expected == 10) break;
    }
    Executor single(1);
    auto slow = single.map(
        [&](int x) {
            if (x == 1) gate.pass();
            return x;
        },
        {0, 1, 2}, {.timeout = 200ms});
    gate.wait_for(1); // item 0 has ended then, and is there however late it is
    auto at = slow.begin();
    CHECK(*at == 0);
    ++at;
    CHECK_THROWS_AS(*at, mp::futures::TimeoutError);
    gate.open();
}

TEST_CASE("the results of an executor's map that are dropped unseen leave all calls running", "[thread_pool]") {
    std::atomic<int> ran{0};
    {
        Executor executor(1);
        executor.map([&](int) { ++ran; }, std::vector<int>(10));
    }
    CHECK(ran == 10);
}

TEST_CASE("shutdown waits, cancels and refuses", "[thread_pool]") {
    Gate gate;
    Executor executor(1);
    const auto running = executor.submit([&] { gate.pass(); });
    gate.wait_for(1);
    CHECK(running.running());
    const auto waiting = executor.submit(squared, 3);
    CHECK_FALSE(waiting.running());
    CHECK_FALSE(executor.shutdown({.wait = false}));
    CHECK_THROWS_AS(executor.submit(squared, 1), std::runtime_error);
    CHECK_THROWS_AS(executor.map(squared, {1}), std::runtime_error);
    CHECK_FALSE(executor.shutdown({.cancel_futures = true, .timeout = 10ms}));
    CHECK(waiting.cancelled());
    CHECK_THROWS_AS(waiting.result(), mp::futures::CancelledError);
    gate.open();
    CHECK(executor.shutdown());
    CHECK(executor.shutdown());
    CHECK(mp::to_string(executor) ==
          "<multiprocessing.futures.ThreadPoolExecutor state=shutdown max_workers=1>");
}

TEST_CASE("futures of threads are waited for together", "[thread_pool]") {
    Gate gate;
    Executor executor(3);
    std::vector<mp::futures::Future<int>> futures;
    for (int i = 0; i < 3; ++i) {
        futures.push_back(executor.submit([&, i] {
            if (i == 0) gate.pass();
            return i;
        }));
    }
    const auto first = mp::futures::wait(futures, mp::futures::FIRST_COMPLETED);
    CHECK(first.not_done.size() >= 1);
    std::vector<int> order;
    for (const auto& future : mp::futures::as_completed(futures)) {
        order.push_back(future.result());
        if (order.size() == 2) gate.open();
    }
    CHECK(order.back() == 0);
    std::promise<int> called;
    futures[0].add_done_callback([&](const auto& future) { called.set_value(future.result()); });
    CHECK(called.get_future().get() == 0);
}

TEST_CASE("the destructor of an executor waits for all calls", "[thread_pool]") {
    std::atomic<int> ran{0};
    {
        Executor executor(2);
        for (int i = 0; i < 30; ++i) executor.submit([&] { ++ran; });
        Executor other = std::move(executor);
        CHECK_THROWS_AS(executor.submit(squared, 1), std::logic_error);
        other.submit([&] { ++ran; });
    }
    CHECK(ran == 31);
}

TEST_CASE("many threads use one pool of threads", "[thread_pool]") {
    ThreadPool pool(3);
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i) {
                    const auto result = pool.apply_async(squared, i);
                    std::atomic<int> called{0};
                    result.then([&](int) { ++called; }, [&](const std::exception_ptr&) { ++called; });
                    if (i % 3 == 0) result.cancel();
                    try {
                        wrong += result.get() != i * i;
                    } catch (const mp::CancelledError&) { wrong += i % 3 != 0; }
                    wrong += pool.map(squared, {i, 1}) != std::vector{i * i, 1};
                    while (called == 0) std::this_thread::yield(); // either callback
                }
            });
        }
    }
    CHECK(wrong == 0);
}

#if defined(__linux__)
TEST_CASE("the threads of an executor have names", "[thread_pool]") {
    Executor executor(1);
    const auto name = executor.submit([] {
        char text[32] = {};
        ::pthread_getname_np(::pthread_self(), text, sizeof text);
        return std::string(text);
    });
    CHECK(name.result() == "ThreadPoolExecu");
}
#endif

#if !defined(_WIN32)
TEST_CASE("a copy that fork makes refuses the pool of the other process", "[thread_pool]") {
    ThreadPool pool(2);
    Executor executor(2);
    CHECK(executor.submit(squared, 2).result() == 4);
    auto results = pool.imap(squared, std::views::iota(0));
    const pid_t copy = ::fork();
    if (copy == 0) {
        int refused = 0;
        const auto count = [&](auto call) {
            try {
                call();
            } catch (const std::logic_error&) { ++refused; }
        };
        count([&] { pool.apply(squared, 1); });
        count([&] { pool.close(); });
        count([&] { executor.submit(squared, 1); });
        count([&] { executor.shutdown(); });
        count([&] { results.next(); });
        {
            const ThreadPool gone = std::move(pool);
            const Executor gone_too = std::move(executor);
            const auto gone_results = std::move(results);
        }
#if defined(__SANITIZE_THREAD__) // it allows no new threads here
        ++refused;
#else
        ThreadPool own(1);
        refused += own.apply(squared, 10) == 100;
        own.terminate();
        own.join();
#endif
        ::_exit(refused);
    }
    int status = 0;
    ::waitpid(copy, &status, 0);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 6);
    CHECK(pool.apply(squared, 3) == 9);
}
#endif
