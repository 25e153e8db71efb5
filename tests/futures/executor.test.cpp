// SPDX-License-Identifier: BSL-1.0
// ProcessPoolExecutor: calls and maps, workers on demand, losses, shutdown.
#include <support/eventually.hpp>
#include <support/inputs.hpp>

#include <support/killer.hpp>
#include <support/program.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;
namespace futures = mp::futures;
using futures::Future;
using futures::ProcessPoolExecutor;

namespace {

int square(int x) { return x * x; }
int own_pid() { return mp::current_process().pid(); }

int waits_for(int x, mp::Event go) {
    go.wait();
    return x;
}

/// Says that it has begun, waits, and returns its process id.
int begins_and_waits(Tally tally, mp::Event go) {
    tally.add(0, 1);
    go.wait();
    tally.add(1, 1);
    return own_pid();
}

template <class R>
std::vector<R> all_of(futures::MapResults<R> results) {
    std::vector<R> all;
    for (auto&& result : results) all.push_back(std::forward<decltype(result)>(result));
    return all;
}

std::vector<int> up_to(int end) {
    std::vector<int> numbers(static_cast<std::size_t>(end));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

} // namespace

TEST_CASE("submit gives a future of what the function returns", "[executor]") {
    ProcessPoolExecutor executor(2);
    const Future<int> future = executor.submit(square, 7);
    CHECK(future.result() == 49);
    CHECK(future.done());
    CHECK_FALSE(future.running());
    CHECK_FALSE(future.cancelled());
    CHECK_FALSE(future.exception());
    executor.submit([] {}).result();
    CHECK(executor.submit([](std::string a, std::string b) { return a + b; }, "left", "right").result() ==
          "leftright");
    CHECK(*executor
               .submit([](std::unique_ptr<int> p) { return std::make_unique<int>(*p + 1); },
                       std::make_unique<int>(1))
               .result() == 2);
    CHECK(executor.submit(own_pid).result() != own_pid());
    CHECK(executor.submit(mp::TaskOptions{}, square, 3).result() == 9);
    CHECK(executor.submit(mp::TaskOptions{.priority = mp::Priority::high}, square, 3).result() == 9);
    const auto failed = executor.submit([]() -> int { throw std::domain_error("expected by a test"); });
    CHECK_THROWS_WITH(failed.result(), "expected by a test");
    CHECK_THROWS_AS(std::rethrow_exception(failed.exception()), std::domain_error);
    CHECK_FALSE(failed.cancelled());
}

TEST_CASE("map calls with one item of each range, to the shortest", "[executor]") {
    ProcessPoolExecutor executor(2);
    CHECK(all_of(executor.map(square, std::views::iota(0, 100))).back() == 99 * 99);
    CHECK(all_of(executor.map(square, {1, 2, 3})) == std::vector{1, 4, 9});
    CHECK(all_of(executor.map(square, std::vector<int>{})).empty());
    const auto two = [](int a, const std::string& b) { return b + std::to_string(a); };
    CHECK(all_of(executor.map(two, std::views::iota(0), std::vector<std::string>{"a", "b"})) ==
          std::vector<std::string>{"a0", "b1"});
    const std::vector<int> tens{10, 20, 30, 40};
    const std::list<int> hundreds{100, 200, 300};
    CHECK(all_of(executor.map([](int a, int b, int c) { return a + b + c; }, std::views::iota(1), tens,
                              hundreds)) == std::vector{111, 222, 333});
    CHECK(all_of(executor.map([](int a, int b, int c, int d) { return a + b + c + d; }, std::views::iota(1),
                              tens, hundreds, std::forward_list<int>{1000, 2000}, {.chunksize = 1})) ==
          std::vector{1111, 2222});
    CHECK(all_of(executor.map([](int a, int b, int c, int d, int e) { return a + b + c + d + e; },
                              mp::MapOptions{.buffersize = 2}, std::views::iota(1), tens, hundreds,
                              std::vector<int>{1000, 2000, 3000},
                              std::vector<int>{10'000, 20'000, 30'000, 40'000})) ==
          std::vector{11'111, 22'222, 33'333});
    CHECK(all_of(executor.map([](int a, int b) { return a * b; }, std::vector<int>{}, std::views::iota(0)))
              .empty());
}

TEST_CASE("map yields in order for any chunksize and buffersize", "[executor]") {
    ProcessPoolExecutor executor(2);
    for (const std::size_t chunksize : {0u, 1u, 7u, 5000u}) {
        for (const std::size_t buffersize : {0u, 1u, 16u, 10'000u}) {
            INFO("chunksize " << chunksize << " buffersize " << buffersize);
            const mp::MapOptions options{.chunksize = chunksize, .buffersize = buffersize};
            const int count = buffersize == 1 ? 50 : 1000;
            CHECK(all_of(executor.map(identity, up_to(count), options)) == up_to(count));
            CHECK(all_of(executor.map([](int a, int b) { return a - b + 1; }, std::views::iota(1),
                                      std::vector<int>(static_cast<std::size_t>(count), 2), options)) ==
                  up_to(count));
        }
    }
}

TEST_CASE("map that has begun is read to its end though its executor is shut down", "[executor]") {
    ProcessPoolExecutor executor(2);
    auto results = executor.map(identity, std::views::iota(0, 500), {.chunksize = 2, .buffersize = 10});
    auto left = executor.map(identity, std::views::iota(0), {.chunksize = 2, .buffersize = 10});
    executor.shutdown({.wait = false});
    CHECK_THROWS_AS(executor.submit(identity, 1), std::runtime_error);
    int next = 0;
    for (const int result : results) next += result == next;
    CHECK(next == 500);
    executor.shutdown(); // waits for no reader
    int read = 0;
    CHECK_THROWS_AS(
        [&] {
            for ([[maybe_unused]] const int result : left) ++read;
        }(),
        std::runtime_error);
    CHECK(read == 10);
}

TEST_CASE("map reads no further ahead than its buffersize", "[executor]") {
    ProcessPoolExecutor executor(2);
    for (const std::size_t chunksize : {0u, 1u, 5u}) {
        for (const int buffersize : {1, 2, 7}) {
            int read = 0;
            auto results =
                executor.map(identity, Numbers{read}, {.chunksize = chunksize, .buffersize = buffersize});
            CHECK(read == buffersize);
            int taken = 0;
            int too_far = 0;
            for (const int result : results) {
                too_far += read > taken + buffersize;
                too_far += result != taken;
                if (++taken == 40) break;
            }
            CHECK(too_far == 0);
            int first = 0;
            int second = 0;
            auto zipped = executor.map([](int a, int b) { return a + b; }, Numbers{first}, Numbers{second},
                                       {.chunksize = chunksize, .buffersize = buffersize});
            CHECK(first == buffersize);
            CHECK(second == buffersize);
            CHECK(*zipped.begin() == 0);
        }
    }
    int read = 0;
    const auto all = executor.map(identity, Numbers{read, 300});
    CHECK(read == 300); // without one, all is read by the call
}

TEST_CASE("map of a void function, of pointers, of errors", "[executor]") {
    ProcessPoolExecutor executor(2);
    Tally tally;
    int count = 0;
    for (const std::monostate& done :
         executor.map([](const std::pair<Tally, int>& x) { x.first.add(0, x.second); },
                      std::vector<std::pair<Tally, int>>(20, {tally, 2}))) {
        static_cast<void>(done);
        ++count;
    }
    CHECK(count == 20);
    CHECK(tally.get(0) == 40);
    for (std::unique_ptr<int> p : executor.map([](int x) { return std::make_unique<int>(x); }, {4, 4}))
        CHECK(*p == 4);
    const auto fails = [](int x) {
        if (x == 2) throw std::domain_error("two");
        return x;
    };
    auto results = executor.map(fails, {1, 2, 3});
    auto at = results.begin();
    CHECK(*at == 1);
    ++at;
    CHECK_THROWS_AS(*at, std::domain_error);
    ++at;
    CHECK(*at == 3);
    ++at;
    CHECK(at == results.end());
    int read = 0;
    auto throwing = executor.map(identity, Numbers{read, 10, {3, false}});
    auto number = throwing.begin();
    for (int i = 0; i < 3; ++i, ++number) CHECK(*number == i);
    CHECK_THROWS_AS(*number, std::range_error);
}

TEST_CASE("map throws TimeoutError, takes back what waits, and kills nobody", "[executor]") {
    ProcessPoolExecutor executor(1);
    for (const std::size_t buffersize : {0u, 4u}) {
        INFO("buffersize " << buffersize);
        const FirstWaits waits{};
        auto results =
            executor.map(waits, up_to(10), {.chunksize = 1, .timeout = 100ms, .buffersize = buffersize});
        waits.tally.wait_for(0, 1);
        auto at = results.begin();
        CHECK_THROWS_AS(*at, futures::TimeoutError);
        CHECK(at == results.end()); // as a generator that has thrown
        waits.go.set();
        CHECK(executor.submit(square, 3).result() == 9);
        CHECK(waits.tally.get(0) == 1);
        CHECK(waits.tally.get(1) == 1);
    }
    CHECK(mp::active_children().size() == 1);
    CHECK(all_of(executor.map(square, {1, 2}, {.timeout = 60s})) == std::vector{1, 4});
    CHECK(all_of(executor.map(square, {1, 2}, {.timeout = mp::no_timeout})) == std::vector{1, 4});
}

TEST_CASE("the results of a map that nobody looked at are computed", "[executor]") {
    // Item i waits until counter 2 is i.
    const auto item = [](const std::pair<Tally, int>& x) {
        x.first.add(0, 1);
        x.first.wait_for(2, x.second);
        x.first.add(1, 1);
        return x.second;
    };
    const auto items = [](const Tally& tally) {
        std::vector<std::pair<Tally, int>> all;
        for (int i = 0; i < 10; ++i) all.emplace_back(tally, i);
        return all;
    };
    const Tally unseen;
    const Tally seen;
    {
        ProcessPoolExecutor executor(1);
        executor.map(item, items(unseen), {.chunksize = 2});
        unseen.set(2, 10);
        {
            auto results = executor.map(item, items(seen), {.chunksize = 1});
            CHECK(*results.begin() == 0);
            seen.wait_for(0, 2);
        } // left after the first result: what has not begun is taken back
        seen.set(2, 10);
    }
    CHECK(unseen.get(1) == 10);
    CHECK(seen.get(0) == 2);
    CHECK(seen.get(1) == 2);
}

// In a program of its own: those that it was before stay until the end, as references to them may be around.
TEST_CASE("the reusable executor is one, is resized, and is replaced when shut down", "[executor]") {
    CHECK(support::output_of("reuses_executor").exitcode == 0);
}

TEST_CASE("the function for a worker's environment is called once for each worker", "[executor]") {
    int calls = 0;
    ProcessPoolExecutor executor({.max_workers = 2, .worker_env = [&](int worker) {
                                      ++calls;
                                      return mp::Environment{{"MP_TEST_WORKER", std::to_string(worker)}};
                                  }});
    const auto own_number = [] { return std::string(std::getenv("MP_TEST_WORKER")); };
    CHECK(executor.submit(own_number).result() == "0");
    CHECK_THROWS_AS(executor.submit([] { vanish(1); }).result(), futures::BrokenProcessPool);
    const std::string replacement = executor.submit(own_number).result();
    CHECK((replacement == "0" || replacement == "1"));
    CHECK(calls == 2); // not in the thread that replaces workers
}

TEST_CASE("the error of a call that nobody waits for is logged though workers are ended", "[executor]") {
    const ExpectedLog log{"nobody asked for this"};
    ProcessPoolExecutor executor(1);
    executor.submit([] { throw std::runtime_error("nobody asked for this"); });
    CHECK(executor.submit(square, 2).result() == 4);
    executor.kill_workers();
    CHECK(executor.shutdown());
    CHECK(log.seen());
}

TEST_CASE("as_completed reads no error: one that nobody asks for is logged", "[executor]") {
    const ExpectedLog log{"seen, and not asked for"};
    {
        ProcessPoolExecutor executor(1);
        std::vector<Future<void>> all;
        all.push_back(executor.submit([] { throw std::runtime_error("seen, and not asked for"); }));
        for (const auto& future : futures::as_completed(all)) CHECK(future.done());
    }
    CHECK(log.seen());
}

TEST_CASE("workers start on demand: one call starts one worker", "[executor]") {
    ProcessPoolExecutor executor(8);
    CHECK(mp::active_children().empty());
    CHECK(executor.submit(square, 2).result() == 4);
    // Its result may be there before its start has returned.
    while (mp::active_children().empty()) std::this_thread::sleep_for(1ms);
    CHECK(mp::active_children().size() == 1);
    for (int i = 0; i < 30; ++i) {
        executor.submit(square, 2).result();
        std::this_thread::sleep_for(5ms); // long enough, almost always, for the worker to be idle
    }
    CHECK(mp::active_children().size() < 8);
    Tally tally;
    const mp::Event go;
    std::vector<Future<int>> all;
    for (int i = 0; i < 3; ++i) all.push_back(executor.submit(begins_and_waits, tally, go));
    tally.wait_for(0, 3); // as many as are needed work at once
    go.set();
    std::set<int> pids;
    for (const auto& future : all) pids.insert(future.result());
    CHECK(pids.size() == 3);
    CHECK(mp::active_children().size() <= 8);
}

TEST_CASE("no more workers start than the executor may have", "[executor]") {
    ProcessPoolExecutor executor(2);
    std::vector<Future<int>> all;
    for (int i = 0; i < 100; ++i) all.push_back(executor.submit(own_pid));
    std::set<int> pids;
    for (const auto& future : all) pids.insert(future.result());
    CHECK(pids.size() <= 2);
    CHECK(mp::active_children().size() <= 2);
}

TEST_CASE("futures of an executor are cancelled, killed and asked", "[executor]") {
    ProcessPoolExecutor executor(1);
    Tally tally;
    Tally never;
    const mp::Event go;
    const auto running = executor.submit(begins_and_waits, tally, go);
    const auto waiting = executor.submit(begins_and_waits, never, go);
    const auto last = executor.submit(square, 2);
    tally.wait_for(0, 1);
    CHECK(running.running());
    CHECK_FALSE(running.done());
    CHECK_FALSE(waiting.running());
    CHECK_THROWS_AS(running.result(0s), mp::TimeoutError);
    CHECK_THROWS_AS(running.exception(1ms), mp::TimeoutError);
    CHECK_FALSE(running.cancel());
    CHECK(waiting.cancel());
    CHECK(waiting.cancel());
    CHECK(waiting.cancelled());
    CHECK_THROWS_AS(waiting.result(), mp::CancelledError);
    CHECK_THROWS_AS(waiting.exception(), mp::CancelledError);
    CHECK(running.kill());
    CHECK_THROWS_AS(running.result(), mp::CancelledError);
    CHECK(running.cancelled());
    CHECK(last.result() == 4);
    CHECK(never.get(0) == 0);
    CHECK(tally.get(1) == 0);
}

TEST_CASE("wait and as_completed see the futures of an executor", "[executor]") {
    ProcessPoolExecutor executor(2);
    const mp::Event go;
    std::vector<Future<int>> all{executor.submit(waits_for, 0, go)};
    for (int i = 1; i < 10; ++i) all.push_back(executor.submit(square, i));
    CHECK(futures::wait(std::views::counted(all.begin() + 1, 9)).done.size() == 9);
    CHECK(futures::wait(all, 0s).not_done == std::vector{all[0]});
    CHECK(futures::wait(all, futures::FIRST_COMPLETED).done.size() == 9);
    std::vector<int> results;
    for (auto& future : futures::as_completed(all)) {
        results.push_back(future.result());
        if (results.size() == 9) go.set();
    }
    CHECK(results.size() == 10);
    CHECK(results.back() == 0);
    go.clear();
    const auto slow = executor.submit(waits_for, 0, go);
    const auto fails = executor.submit([]() -> int { throw std::domain_error("x"); });
    CHECK(futures::wait({slow, fails}, futures::FIRST_EXCEPTION).done == std::vector{fails});
    go.set();
}

TEST_CASE("threads and callbacks submit to one executor", "[executor]") {
    std::atomic<int> sum{0};
    std::atomic<int> wrong{0};
    {
        ProcessPoolExecutor executor(2);
        std::vector<std::jthread> threads;
        for (int number = 0; number < 4; ++number) {
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i) {
                    const auto future = executor.submit(identity, i);
                    future.add_done_callback([&](const Future<int>& f) {
                        executor.submit(identity, f.result()).add_done_callback([&](const Future<int>& g) {
                            sum += g.result();
                        });
                        if (f.result() % 10 == 0)
                            wrong += executor.submit(square, 3).result() != 9; // and waits
                    });
                    wrong += future.result() != i;
                }
            });
        }
        threads.clear();
        // The callbacks submit until the last of them has run.
        for (int i = 0; i < 6000 && sum < 4 * 49 * 50 / 2; ++i) std::this_thread::sleep_for(10ms);
    }
    CHECK(sum == 4 * 49 * 50 / 2);
    CHECK(wrong == 0);
}

TEST_CASE("a callback waits for futures in any way", "[executor]") {
    ProcessPoolExecutor executor(1);
    std::vector<int> results;
    const mp::Event go;
    const auto first = executor.submit(waits_for, 0, go);
    first.add_done_callback([&](const Future<int>&) {
        const std::vector<Future<int>> all{executor.submit(square, 1), executor.submit(square, 2)};
        results.push_back(!futures::wait(all, futures::FIRST_COMPLETED).done.empty());
        for (auto& future : futures::as_completed(all)) results.push_back(future.result());
        results.push_back(static_cast<int>(futures::wait(all).done.size()));
        for (const int result : executor.map(square, {3, 4})) results.push_back(result);
        const auto never = executor.submit(waits_for, 0, mp::Event{});
        results.push_back(static_cast<int>(futures::wait({never}, 20ms, futures::FIRST_COMPLETED).done.size()));
        never.kill();
    });
    const mp::Event over;
    first.add_done_callback([&](const Future<int>&) { over.set(); });
    go.set();
    REQUIRE(over.wait(60s));
    CHECK(results == std::vector{1, 1, 4, 2, 9, 16, 0});
}

TEST_CASE("a callback shuts its executor down, and destroys it", "[executor]") {
    for (const bool destroys : {false, true}) {
        auto executor = std::make_unique<ProcessPoolExecutor>(2);
        const mp::Event go;
        const mp::Event over;
        bool all_done = false;
        const auto future = executor->submit(waits_for, 7, go);
        const auto other = executor->submit(waits_for, 8, go);
        future.add_done_callback([&](const Future<int>&) {
            if (destroys) executor.reset();
            all_done = destroys || executor->shutdown();
            over.set();
        });
        go.set();
        REQUIRE(over.wait(60s));
        CHECK(all_done);
        CHECK(other.done());
        CHECK(future.result() == 7);
        CHECK(mp::active_children().empty());
    }
}

TEST_CASE("a call that throws a CancelledError of its own was not cancelled", "[executor]") {
    ProcessPoolExecutor executor(1);
    const auto future = executor.submit([]() -> int { throw mp::CancelledError("of its own"); });
    CHECK_THROWS_AS(future.result(), mp::CancelledError);
    CHECK_FALSE(future.cancelled());
    REQUIRE(future.exception());
    CHECK_THAT(mp::to_string(future), ContainsSubstring("state=finished raised"));
}

TEST_CASE("a call submitted while another thread shuts down runs or is refused", "[executor]") {
    int wrong = 0;
    int right = 0;
    for (int round = 0; round < 10; ++round) {
        ProcessPoolExecutor executor(1);
        executor.submit(square, 1).result();
        std::jthread shuts([&] {
            support::linger(static_cast<unsigned>(round * 20));
            executor.shutdown({.wait = false});
        });
        std::vector<Future<int>> all;
        try {
            for (;; std::this_thread::yield()) all.push_back(executor.submit(square, 3));
        } catch (const std::runtime_error&) { ++right; } catch (const std::exception&) {
            ++wrong; // std::invalid_argument, say, as of a Pool
        }
        for (const auto& future : all) wrong += future.result() != 9;
    }
    CHECK(right == 10);
    CHECK(wrong == 0);
}

TEST_CASE("shutdown waits for calls and callbacks, and refuses more", "[executor]") {
    ProcessPoolExecutor executor(2);
    const mp::Event go;
    std::atomic<int> called{0};
    std::vector<Future<int>> all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(executor.submit(waits_for, i, go));
        all.back().add_done_callback([&](const Future<int>& f) { called += f.done(); });
    }
    CHECK_FALSE(executor.shutdown({.timeout = 0s}));
    CHECK_FALSE(executor.shutdown({.wait = false}));
    CHECK_FALSE(executor.shutdown({.timeout = 20ms}));
    CHECK_THROWS_AS(executor.submit(square, 1), std::runtime_error);
    CHECK_THROWS_AS(executor.map(square, {1}), std::runtime_error);
    CHECK_FALSE(all[0].done());
    go.set();
    CHECK(executor.shutdown());
    for (int i = 0; i < 10; ++i) CHECK(all[static_cast<std::size_t>(i)].result() == i);
    CHECK(called == 10);
    CHECK(executor.shutdown());
    CHECK(executor.shutdown({.wait = false}));
    CHECK(mp::active_children().empty());
    try {
        executor.submit(square, 1);
        FAIL("nothing was thrown");
    } catch (const std::runtime_error& error) { CHECK_THAT(error.what(), ContainsSubstring("shut down")); }
}

TEST_CASE("shutdown takes back the calls that have not begun", "[executor]") {
    ProcessPoolExecutor executor(1);
    Tally tally;
    const mp::Event go;
    const auto running = executor.submit(begins_and_waits, tally, go);
    tally.wait_for(0, 1);
    std::vector<Future<int>> waiting;
    for (int i = 0; i < 5; ++i) waiting.push_back(executor.submit(begins_and_waits, tally, go));
    auto map = executor.map(square, {1, 2, 3});
    CHECK_FALSE(executor.shutdown({.wait = false, .cancel_futures = true}));
    for (const auto& future : waiting) CHECK(future.cancelled());
    CHECK_THROWS_AS(*map.begin(), mp::CancelledError);
    go.set();
    CHECK(executor.shutdown());
    CHECK(running.result() > 0);
    CHECK(tally.get(0) == 1);
}

TEST_CASE("an executor that was never used shuts down", "[executor]") {
    { ProcessPoolExecutor executor; }
    ProcessPoolExecutor executor(4);
    executor.shutdown({.wait = false, .cancel_futures = true}); // may not have ended yet
    CHECK(executor.shutdown());
    CHECK_THROWS_AS(executor.submit(square, 1), std::runtime_error);
    ProcessPoolExecutor terminated(4);
    terminated.terminate_workers();
    CHECK(terminated.shutdown());
}

TEST_CASE("the destructor waits for all calls", "[executor]") {
    std::vector<Future<int>> all;
    const mp::Event go;
    {
        ProcessPoolExecutor executor(2);
        for (int i = 0; i < 20; ++i) all.push_back(executor.submit(waits_for, i, go));
        go.set();
    }
    for (int i = 0; i < 20; ++i) {
        CHECK(all[static_cast<std::size_t>(i)].done());
        CHECK(all[static_cast<std::size_t>(i)].result() == i);
    }
    CHECK(mp::active_children().empty());
}

TEST_CASE("a future outlives its executor", "[executor]") {
    std::optional<Future<std::string>> future;
    std::optional<Future<int>> failed;
    std::optional<futures::MapResults<std::string>> map;
    {
        ProcessPoolExecutor executor(1);
        future = executor.submit([] { return std::string(100'000, 'x'); });
        failed = executor.submit([]() -> int { throw std::domain_error("x"); });
        map = executor.map([](int x) { return std::string(static_cast<std::size_t>(x), 'y'); }, {1, 20'000});
    }
    CHECK(future->result().size() == 100'000);
    CHECK_THROWS_AS(failed->result(), std::domain_error);
    std::size_t size = 0;
    for (const std::string& text : *map) size += text.size();
    CHECK(size == 20'001);
    bool called = false;
    future->add_done_callback([&](const Future<std::string>&) { called = true; });
    CHECK(called);
}

TEST_CASE("terminate_workers breaks what runs and cancels what waits", "[executor]") {
    ProcessPoolExecutor executor(1);
    Tally tally;
    const mp::Event go;
    const auto running = executor.submit(begins_and_waits, tally, go);
    const auto waiting = executor.submit(square, 1);
    tally.wait_for(0, 1);
    executor.terminate_workers();
    CHECK_THROWS_AS(running.result(), futures::BrokenProcessPool);
    CHECK_THROWS_AS(running.result(), futures::BrokenExecutor);
    CHECK(waiting.cancelled());
    CHECK_FALSE(running.cancelled());
    CHECK_THROWS_AS(executor.submit(square, 1), std::runtime_error);
    CHECK(executor.shutdown());
    CHECK(mp::active_children().empty());
    executor.terminate_workers();
}

#if !defined(_WIN32)
TEST_CASE("kill_workers ends a worker that is deaf to signals", "[executor]") {
    ProcessPoolExecutor executor(1);
    Tally tally;
    const auto running = executor.submit(
        [](Tally t) {
            std::signal(SIGTERM, SIG_IGN);
            t.add(0, 1);
            for (;;) ::pause();
        },
        tally);
    const auto waiting = executor.submit(square, 1);
    tally.wait_for(0, 1);
    executor.kill_workers();
    CHECK_THROWS_AS(running.result(), futures::BrokenProcessPool);
    CHECK(waiting.cancelled());
    CHECK(executor.shutdown());
    CHECK(mp::active_children().empty());
}
#endif

TEST_CASE("a call that loses its worker is broken alone", "[executor]") {
    ProcessPoolExecutor executor(2);
    Tally tally;
    const mp::Event go;
    const auto neighbour = executor.submit(begins_and_waits, tally, go);
    tally.wait_for(0, 1);
    const auto lost = executor.submit([] { vanish(7); });
    const auto error = thrown_by<futures::BrokenProcessPool>([&] { lost.result(); });
    CHECK(error.exitcode() == 7);
    CHECK(error.pid() > 0);
    CHECK_FALSE(error.task_index());
    CHECK_THAT(error.what(), ContainsSubstring("ended with exit code 7"));
    REQUIRE(lost.exception());
    CHECK_FALSE(lost.cancelled());
    CHECK_THROWS_AS(std::rethrow_exception(lost.exception()), futures::BrokenExecutor);
    CHECK(executor.submit(square, 5).result() == 25);
    go.set();
    CHECK(neighbour.result() != error.pid());
    const auto fails = [](int x) {
        if (x == 3) vanish(8);
        return x;
    };
    auto results = executor.map(fails, up_to(6), {.chunksize = 6});
    auto at = results.begin();
    for (int i = 0; i < 6; ++i, ++at) {
        if (i == 3) {
            const auto item_error = thrown_by<futures::BrokenProcessPool>([&] { *at; });
            CHECK(item_error.task_index() == 3u);
            CHECK(item_error.exitcode() == 8);
        } else {
            CHECK(*at == i);
        }
    }
}

TEST_CASE("the loss of a worker breaks an executor that wants so", "[executor]") {
    ProcessPoolExecutor executor({.max_workers = 2, .break_on_worker_loss = true});
    Tally tally;
    const mp::Event go;
    const auto neighbour = executor.submit(begins_and_waits, tally, go);
    tally.wait_for(0, 1);
    const auto lost = executor.submit([] { vanish(7); });
    // It waits behind them, or comes when the executor is broken already.
    CHECK_THROWS_AS(executor.submit(begins_and_waits, tally, go).result(), futures::BrokenProcessPool);
    CHECK(thrown_by<futures::BrokenProcessPool>([&] { lost.result(); }).exitcode() == 7);
    CHECK_THROWS_AS(neighbour.result(), futures::BrokenProcessPool);
    CHECK(thrown_by<futures::BrokenProcessPool>([&] { executor.submit(square, 1); }).exitcode() == 7);
    CHECK_THAT(mp::to_string(executor), ContainsSubstring("state=broken"));
    CHECK(executor.shutdown());
    CHECK(mp::active_children().empty());
}

TEST_CASE("an idle worker that is killed breaks no executor", "[executor]") {
    ProcessPoolExecutor executor(2);
    for (int round = 0; round < 5; ++round) {
        CHECK(executor.submit(square, round).result() == round * round);
        for (const auto& child : mp::active_children()) support::kill_process(child.pid());
    }
    CHECK(executor.submit(square, 9).result() == 81);
}

TEST_CASE("initializers run once in each worker, before any call", "[executor]") {
    static int initialised = 0;
    Tally tally;
    ProcessPoolExecutor executor(
        2, [](int value, Tally t) { initialised += value, t.add(0, 1); }, 5, tally);
    for (int i = 0; i < 10; ++i) CHECK(executor.submit([] { return initialised; }).result() == 5);
    CHECK(tally.get(0) >= 1);
    CHECK(tally.get(0) <= 2);
}

TEST_CASE("an initializer that throws breaks the executor with its error", "[executor]") {
    Tally tally;
    ProcessPoolExecutor executor(
        {.max_workers = 2},
        [](Tally t) {
            t.add(0, 1);
            throw std::domain_error("no database");
        },
        tally);
    const auto future = executor.submit(square, 1);
    CHECK_THROWS_WITH(future.result(), "no database");
    CHECK_THROWS_AS(future.result(), std::domain_error);
    CHECK_THROWS_WITH(executor.submit(square, 1), "no database");
    CHECK_THROWS_WITH(executor.map(square, {1}), "no database");
    CHECK(tally.get(0) <= 2);
    CHECK(executor.shutdown());
    CHECK(mp::active_children().empty());
}

TEST_CASE("an initializer that crashes breaks the executor", "[executor]") {
    ProcessPoolExecutor executor(2, vanish, 7);
    const auto future = executor.submit(square, 1);
    const auto error = thrown_by<futures::BrokenProcessPool>([&] { future.result(); });
    CHECK(error.exitcode() == 7);
    CHECK(error.pid() > 0);
    CHECK_THROWS_AS(executor.submit(square, 1), futures::BrokenProcessPool);
}

TEST_CASE("workers that are replaced after their share strand no call", "[executor]") {
    for (const std::size_t most : {1u, 3u}) {
        ProcessPoolExecutor executor({.max_workers = 2, .max_tasks_per_child = most});
        std::vector<Future<int>> all;
        for (int i = 0; i < 60; ++i) all.push_back(executor.submit(own_pid));
        std::map<int, std::size_t> calls;
        for (const auto& future : all) ++calls[future.result()];
        for (const auto& [pid, count] : calls) CHECK(count <= most);
        for (int i = 0; i < 10; ++i) CHECK(executor.submit(square, i).result() == i * i); // one by one
        std::map<int, std::size_t> items;
        for (const int pid : executor.map([](int) { return own_pid(); }, up_to(30))) ++items[pid];
        for (const auto& [pid, count] : items) CHECK(count <= most);
    }
}

TEST_CASE("idle workers leave after their time, and come back for work", "[executor]") {
    ProcessPoolExecutor executor({.max_workers = 3, .idle_timeout = 30ms});
    for (int round = 0; round < 3; ++round) {
        CHECK(all_of(executor.map(square, up_to(20))).size() == 20);
        CHECK(support::comes_to_have_children(0));
    }
    CHECK(executor.submit(square, 3).result() == 9);
}

TEST_CASE("work strands at no worker that is just about to leave", "[executor]") {
    ProcessPoolExecutor executor({.max_workers = 2, .idle_timeout = 1ms});
    support::Random random{7};
    const int rounds = support::kills(50);
    int wrong = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto first = executor.submit(square, i);
        support::linger(500 + random.below(1500));
        wrong += executor.submit(square, i + 1).result() != (i + 1) * (i + 1);
        wrong += first.result() != i * i;
        support::linger(500 + random.below(1500));
    }
    CHECK(wrong == 0);
}

TEST_CASE("executors work inside workers of pools and executors", "[executor]") {
    const auto inner = [](int n) {
        ProcessPoolExecutor executor(2);
        int sum = executor.submit(square, n).result();
        for (const int x : executor.map(square, up_to(n))) sum += x;
        return sum;
    };
    mp::Pool pool(2);
    CHECK(pool.map(inner, {1, 2, 3}) == std::vector{1, 5, 14});
    ProcessPoolExecutor executor(2);
    CHECK(all_of(executor.map(inner, {1, 2, 3})) == std::vector{1, 5, 14});
}

TEST_CASE("a future, or an iterator over results, that was moved away says so", "[executor]") {
    futures::ProcessPoolExecutor executor(futures::ExecutorOptions{.max_workers = 1});
    auto future = executor.submit([](int x) { return x; }, 3);
    const auto taken = std::move(future);
    CHECK_THROWS_AS(future.result(), std::logic_error);
    CHECK_THROWS_AS(future.done(), std::logic_error);
    CHECK_THROWS_AS(futures::wait({future}), std::logic_error);
    CHECK(future.repr() == "<Future state=unknown>");
    auto results = executor.map([](int x) { return x; }, std::vector{1, 2});
    const auto others = std::move(results);
    CHECK_THROWS_AS(*results.begin(), std::logic_error);
    auto completed = futures::as_completed(std::vector{taken});
    const auto rest = std::move(completed);
    CHECK_THROWS_AS(*completed.begin(), std::logic_error);

    mp::Pool pool(1);
    auto result = pool.apply_async([](int x) { return x; }, 3);
    const auto kept = std::move(result);
    CHECK_THROWS_AS(result.get(), std::logic_error);
    CHECK_THROWS_AS(result.wait(), std::logic_error);
    auto items = pool.imap([](int x) { return x; }, std::vector{1, 2});
    const auto moved = std::move(items);
    CHECK_THROWS_AS(items.next(), std::logic_error);
    CHECK_THROWS_AS(mp::Outcome<int>(std::exception_ptr{}).value(), std::logic_error);
    CHECK(kept.get() + taken.result() == 6);
    pool.close();
    pool.join();
}

TEST_CASE("what has a text form is written to a stream, whatever its namespace", "[executor]") {
    std::ostringstream out;
    futures::ProcessPoolExecutor executor(futures::ExecutorOptions{.max_workers = 1});
    mp::Pool pool(1);
    const auto future = executor.submit([] {});
    future.result();
    const auto result = pool.apply_async([] {});
    out << executor << ' ' << future << ' ' << pool << ' ' << result;
    CHECK(out.str() == mp::to_string(executor) + ' ' + mp::to_string(future) + ' ' + mp::to_string(pool) + ' ' +
                           mp::to_string(result));
}

TEST_CASE("an executor is moved, and says how it is", "[executor]") {
    ProcessPoolExecutor first(3);
    CHECK(mp::to_string(first) == "<multiprocessing.futures.ProcessPoolExecutor state=running max_workers=3>");
    const auto future = first.submit(square, 2);
    ProcessPoolExecutor executor = std::move(first);
    CHECK(future.result() == 4);
    CHECK(executor.submit(square, 3).result() == 9);
    CHECK_THROWS_AS(first.submit(square, 1), std::logic_error);
    CHECK_THROWS_AS(first.shutdown(), std::logic_error);
    Tally tally;
    const mp::Event go;
    go.set();
    const auto last = executor.submit(begins_and_waits, tally, go);
    executor = ProcessPoolExecutor(1); // waits for the calls of the other
    CHECK(last.done());
    CHECK(executor.submit(square, 4).result() == 16);
    executor.shutdown();
    CHECK_THAT(mp::to_string(executor), ContainsSubstring("state=shutdown"));
}

TEST_CASE("an executor's options that cannot be are refused", "[executor]") {
    CHECK_THROWS_AS(ProcessPoolExecutor(-1), std::invalid_argument);
    CHECK_THROWS_AS(ProcessPoolExecutor(5000), std::invalid_argument);
    ProcessPoolExecutor executor(1);
    CHECK(mp::active_children().empty());
}

TEST_CASE("workers of an executor have its environment and directory", "[executor]") {
    ProcessPoolExecutor executor(
        {.max_workers = 1, .env = {{"MP_TEST_EXECUTOR", "one"}}, .worker_env = [](int worker) {
             return mp::Environment{{"MP_TEST_WORKER", std::to_string(worker)}};
         }});
    const auto variable = [](const std::string& name) {
        const char* const value = std::getenv(name.c_str());
        return std::string(value ? value : "none");
    };
    CHECK(executor.submit(variable, "MP_TEST_EXECUTOR").result() == "one");
    CHECK(executor.submit(variable, "MP_TEST_WORKER").result() == "0");
}

#if !defined(_WIN32)
TEST_CASE("an executor and its futures belong to the process that made them", "[executor]") {
    ProcessPoolExecutor executor(1);
    const auto future = executor.submit(square, 3);
    future.result();
    const auto unread = executor.submit(square, 4);
    const pid_t copy = ::fork();
    if (copy == 0) {
        int code = 0;
        try {
            executor.submit(square, 1);
            code = 1;
        } catch (const std::logic_error&) {}
        try {
            executor.shutdown();
            code = 2;
        } catch (const std::logic_error&) {}
        try {
            unread.result();
            code = 3;
        } catch (const std::logic_error&) {}
        try {
            ProcessPoolExecutor own(1);
            if (own.submit(square, 5).result() != 25) code = 4;
            auto moved = std::move(executor); // which ends nothing of the original's
        } catch (const std::exception&) { code = 5; }
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(copy, &status, 0) < 0) {}
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(unread.result() == 16);
    CHECK(executor.submit(square, 6).result() == 36);
}
#endif
