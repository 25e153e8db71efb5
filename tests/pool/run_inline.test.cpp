// SPDX-License-Identifier: BSL-1.0
// run_inline: the same pool without processes.
#include <support/inputs.hpp>

#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

int own_pid() { return mp::current_process().pid(); }

int of_initializer = 0;
int set_number(int number) { return of_initializer = number; }

} // namespace

TEST_CASE("tasks run in the thread that submits them, and have ended then", "[pool]") {
    mp::Pool pool({.processes = 4, .run_inline = true});
    CHECK(mp::active_children().empty());
    CHECK(pool.apply(own_pid) == own_pid());
    CHECK(pool.apply([] { return mp::in_task(); }));
    CHECK_FALSE(mp::in_task());
    auto result = pool.apply_async([](std::string text) { return text + "!"; }, "text");
    CHECK(result.ready());
    CHECK(result.get() == "text!");
    CHECK(*pool.apply([](std::unique_ptr<int> p) { return std::make_unique<int>(*p + 1); },
                      std::make_unique<int>(1)) == 2);
    CHECK_THROWS_AS(pool.apply([]() -> int { throw std::domain_error("inline"); }), std::domain_error);
    std::vector<int> items(1000);
    std::iota(items.begin(), items.end(), 0);
    CHECK(pool.map(identity, items) == items);
    CHECK(pool.map([](int x) { return std::to_string(x); }, items).back() == "999");
    CHECK(pool.map([](int x) { return std::string(100'000, static_cast<char>(x)); }, {65, 66}).front().size() ==
          100'000);
    CHECK(pool.map(identity, items, {.timeout = 60s, .retries = 1}) == items);
    int next = 0;
    for (const int x : pool.imap(identity, items)) next += x == next;
    CHECK(next == 1000);
    for (const int x : pool.imap_unordered(identity, {7})) CHECK(x == 7);
    CHECK(pool.try_map([](int x) { return x == 1 ? throw std::domain_error("1") : x; }, {0, 1})[0].value() ==
          0);
    mp::shared_vector<int> into;
    pool.map_into(identity, items, into);
    CHECK(into[999] == 999);
    CHECK(mp::active_children().empty());
    pool.close();
    CHECK(pool.join(60s));
}

TEST_CASE("shared handles are arguments of a pool without processes", "[pool]") {
    mp::Pool pool({.run_inline = true});
    mp::Queue<int> queue;
    pool.apply([](mp::Queue<int> q, int x) { q.put(x); }, queue, 5);
    CHECK(queue.get(60s) == 5);
}

TEST_CASE("a task may submit to the pool that runs it in the caller, and threads may share that", "[pool]") {
    static mp::Pool* shared = nullptr;
    mp::Pool pool({.run_inline = true});
    shared = &pool;
    const auto nested = [](int x) { return shared->apply(identity, x) + shared->map(identity, {x, 1}).back(); };
    CHECK(pool.map(nested, {1, 2, 3}) == std::vector{2, 3, 4});
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k < 200; ++k) right += pool.apply(identity, i * 1000 + k) == i * 1000 + k;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(right == 800);
    shared = nullptr;
}

TEST_CASE("the initializer of a pool without processes runs once, where the pool is made", "[pool]") {
    of_initializer = 0;
    mp::Pool pool({.run_inline = true}, set_number, 42);
    CHECK(of_initializer == 42);
    const auto throws = [] { throw std::domain_error("initializer"); };
    CHECK_THROWS_AS(mp::Pool({.run_inline = true}, throws), std::domain_error);
}

TEST_CASE("an executor runs calls in the caller, with callbacks and as_completed", "[pool]") {
    mp::futures::ProcessPoolExecutor executor({.run_inline = true});
    auto future = executor.submit(own_pid);
    CHECK(future.done());
    CHECK(future.result() == own_pid());
    int sum = 0;
    for (const int x : executor.map(identity, {1, 2, 3})) sum += x;
    CHECK(sum == 6);
}

TEST_CASE("environment and directory of workers are ignored with a warning where tasks run in the caller",
          "[pool]") {
    const auto variable = [] {
        const char* const value = std::getenv("MP_TEST_INLINE");
        return std::string(value ? value : "none");
    };
    const auto ignores = [&](mp::PoolOptions options) {
        const ExpectedLog warning(".env, .worker_env and .cwd are ignored");
        options.run_inline = true;
        mp::Pool pool(std::move(options));
        CHECK(pool.apply(variable) == "none");
        CHECK(pool.apply([] { return std::filesystem::current_path(); }) == std::filesystem::current_path());
        return warning.seen();
    };
    CHECK(ignores({.env = {{"MP_TEST_INLINE", "set"}}}));
    CHECK(ignores({.worker_env = [](int) -> mp::Environment { throw std::out_of_range("no such worker"); }}));
    CHECK(ignores({.cwd = "no/such/directory"}));
    CHECK_FALSE(ignores({.timeout = 60s, .retries = 1, .threads_per_worker = 2}));
    mp::futures::ProcessPoolExecutor executor({.run_inline = true, .env = {{"MP_TEST_INLINE", "set"}}});
    CHECK(executor.submit(variable).result() == "none");
}

TEST_CASE("MULTIPROCESSING_INLINE=1 runs tasks in the caller, anything else does not", "[pool]") {
    mp::detail::platform::set_variable("MULTIPROCESSING_INLINE", "1");
    CHECK(mp::Pool(2).apply(own_pid) == own_pid());
    mp::detail::platform::set_variable("MULTIPROCESSING_INLINE", "0");
    CHECK(mp::Pool(2).apply(own_pid) != own_pid());
    mp::detail::platform::set_variable("MULTIPROCESSING_INLINE", nullptr);
    CHECK(mp::Pool(2).apply(own_pid) != own_pid());
}

TEST_CASE("a pool that is terminated while the caller is at a task, or fails fast there, gives the caller back",
          "[pool]") {
    static mp::Pool* shared = nullptr;
    {
        mp::Pool pool({.run_inline = true});
        shared = &pool;
        const auto ends_its_pool = [] {
            shared->terminate();
            while (shared->repr().find("TERMINATE") == std::string::npos) std::this_thread::sleep_for(1ms);
            std::this_thread::sleep_for(300ms);
        };
        CHECK_THROWS_AS(pool.apply(ends_its_pool), mp::CancelledError);
        shared = nullptr;
    }
    mp::Pool pool({.run_inline = true});
    std::vector<int> items(3000);
    std::iota(items.begin(), items.end(), 0);
    const auto first_fails = [](int x) {
        if (x == 0) throw std::domain_error("0");
        std::this_thread::sleep_for(10us);
        return x;
    };
    for (int i = 0; i < 20; ++i)
        CHECK_THROWS_AS(pool.map(first_fails, items, {.chunksize = 1, .fail_fast = true}), std::domain_error);
}

TEST_CASE("inside a task that has submitted another to the caller it is the outer task again", "[pool]") {
    static mp::Pool* shared = nullptr;
    mp::Pool pool({.run_inline = true});
    shared = &pool;
    const auto outer = [](int x) {
        shared->apply(identity, x);
        shared->map(identity, {1, 2, 3});
        return mp::in_task() ? static_cast<int>(mp::current_task().index()) : -1;
    };
    CHECK(pool.map(outer, {5, 6, 7}) == std::vector{0, 1, 2});
    CHECK_FALSE(mp::in_task());
    shared = nullptr;
}
