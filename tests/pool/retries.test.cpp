// SPDX-License-Identifier: BSL-1.0
// Retries: a task or item whose worker was lost, or ended for a limit, is tried again, and nothing else is.
#include <support/inputs.hpp>

#include <support/tally.hpp>

#include <multiprocessing/partial.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/pool/current_task.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/queues.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

/// Loses its worker at item `killer`, as often as it is told; counts attempts.
template <class R = int>
struct Flaky {
    int killer;
    int losses;
    mp::Array<int> begun;
    R operator()(int x) {
        begun[static_cast<std::size_t>(x)] += 1;
        const int attempt = mp::current_task().attempt();
        if (x == killer && attempt != begun[static_cast<std::size_t>(x)]) throw std::logic_error("attempt");
        if (x == killer && attempt <= losses) vanish(9);
        if constexpr (std::is_same_v<R, std::string>) {
            return std::to_string(10 * x);
        } else {
            return R{10 * x};
        }
    }
};

std::vector<int> numbers(int count) {
    std::vector<int> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
    return result;
}

bool all_begun_once_but(int item, int times, const mp::Array<int>& begun) {
    bool right = true;
    for (std::size_t i = 0; i < begun.size(); ++i)
        right = right && begun[i] == (static_cast<int>(i) == item ? times : 1);
    return right;
}

} // namespace

TEST_CASE("a task that loses its worker is tried again", "[pool]") {
    mp::Pool pool(2);
    mp::Array<int> begun(4);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(pool.apply_async(mp::TaskOptions{.retries = 3}, Flaky<>{2, 2, begun}, 2).get() == 20);
    CHECK(begun[2] == 3);
    CHECK(std::chrono::steady_clock::now() - begin >= 300ms); // 0.1 s and 0.2 s
    begun[2] = 0;
    const auto error = thrown_by<mp::WorkerLostError>([&] {
        pool.apply_async(mp::TaskOptions{.retries = 1}, Flaky<>{2, 9, begun}, 2).get();
    });
    CHECK(error.attempt() == 2);
    CHECK(error.attempts() == 2);
    CHECK_THAT(error.what(), ContainsSubstring("attempt 2 of 2"));
    CHECK(begun[2] == 2);
}

TEST_CASE("an item that loses its worker is tried again, and the others are done once", "[pool]") {
    mp::Pool pool(2);
    for (const std::size_t chunksize : {0u, 1u, 40u}) {
        INFO("chunks of " << chunksize);
        const mp::MapOptions options{.chunksize = chunksize, .retries = 2};
        std::vector<int> expected = numbers(40);
        for (int& number : expected) number *= 10;
        mp::Array<int> begun(40);
        CHECK(pool.map(Flaky<>{7, 2, begun}, numbers(40), options) == expected);
        CHECK(all_begun_once_but(7, 3, begun));

        std::ranges::fill(begun, 0);
        const auto texts = pool.map(Flaky<std::string>{0, 1, begun}, numbers(40), options);
        CHECK(texts.front() == "0");
        CHECK(texts.back() == "390");
        CHECK(all_begun_once_but(0, 2, begun));

        std::ranges::fill(begun, 0);
        auto results = pool.imap(Flaky<std::string>{39, 2, begun}, numbers(40), options);
        int wrong = 0;
        for (int i = 0; i < 40; ++i) wrong += results.next() != std::to_string(10 * i);
        CHECK(wrong == 0);
        CHECK(all_begun_once_but(39, 3, begun));

        std::ranges::fill(begun, 0);
        const auto outcomes = pool.try_map(Flaky<>{20, 9, begun}, numbers(40), options);
        CHECK(std::ranges::count_if(outcomes, [](const auto& outcome) { return outcome.has_value(); }) == 39);
        const auto error = thrown_by<mp::WorkerLostError>([&] { outcomes[20].value(); });
        CHECK(error.attempt() == 3);
        CHECK(error.task_index() == 20u);
        CHECK(all_begun_once_but(20, 3, begun));
    }
}

TEST_CASE("imap_unordered tries an item again that loses its worker, and reports the last attempt", "[pool]") {
    mp::Pool pool(2);
    for (const int losses : {2, 9}) {
        INFO("it is lost " << losses << " times");
        mp::Array<int> begun(12);
        auto results =
            pool.imap_unordered(Flaky<>{5, losses, begun}, numbers(12), {.chunksize = 4, .retries = 2});
        std::vector<int> values;
        int lost = 0;
        for (int i = 0; i < 12; ++i) {
            try {
                values.push_back(results.next().value());
            } catch (const mp::WorkerLostError& error) {
                lost += error.task_index() == 5u && error.attempt() == 3 && error.attempts() == 3;
            }
        }
        CHECK_FALSE(results.next());
        CHECK(lost == (losses == 9 ? 1 : 0));
        std::ranges::sort(values);
        std::vector<int> expected;
        for (int i = 0; i < 12; ++i) {
            if (losses != 9 || i != 5) expected.push_back(10 * i);
        }
        CHECK(values == expected);
        CHECK(all_begun_once_but(5, 3, begun));
    }
}

TEST_CASE("more items fail at once than there are places for further attempts", "[pool]") {
    mp::Pool pool(2); // four places
    const auto all_fail_once = [](int x) {
        if (mp::current_task().attempt() == 1) vanish(9);
        return std::string(static_cast<std::size_t>(x), 'x');
    };
    const auto texts = pool.map(all_fail_once, numbers(20), {.chunksize = 20, .retries = 1});
    for (std::size_t i = 0; i < 20; ++i) CHECK(texts[i].size() == i);
}

TEST_CASE("what a task throws, and a kill, is no reason for another attempt", "[pool]") {
    mp::Pool pool(2);
    const Tally tally;
    const auto throws = [](const Tally& attempts, int x) -> int {
        attempts.add(x, 1);
        throw std::domain_error("once");
    };
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.retries = 5}, throws, tally, 1).get(), std::domain_error);
    CHECK(tally.get(1) == 1);
    const auto waits = [](const Tally& attempts, int x) {
        attempts.add(x, 1);
        for (;;) std::this_thread::sleep_for(1h);
    };
    auto result = pool.apply_async(mp::TaskOptions{.retries = 5}, waits, tally, 2);
    tally.wait_for(2, 1);
    CHECK(result.kill());
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    auto map = pool.map_async(mp::partial(waits, tally), {3, 4}, {.chunksize = 1, .retries = 5});
    tally.wait_for(3, 1);
    tally.wait_for(4, 1);
    CHECK(map.kill());
    CHECK_THROWS_AS(map.get(), mp::CancelledError);
    std::this_thread::sleep_for(300ms);
    CHECK(tally.get(2) == 1);
    CHECK(tally.get(3) == 1);
}

TEST_CASE("a task that waits for another attempt holds no worker, and can be taken back", "[pool]") {
    mp::Pool pool(1);
    const Tally tally;
    const auto dies = [](const Tally& attempts) {
        attempts.add(1, 1);
        vanish(9);
    };
    auto result = pool.apply_async(mp::TaskOptions{.retries = 20}, dies, tally);
    tally.wait_for(1, 3); // waits 0.4 s now
    CHECK(pool.apply(identity, 5) == 5);
    while (!result.cancel()) std::this_thread::sleep_for(1ms); // unless it runs at the moment
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    pool.close();
    CHECK(pool.join(60s)); // nothing waits for its time any more
}

TEST_CASE("a closed pool makes the further attempts of what it has", "[pool]") {
    mp::Pool pool(2);
    const mp::Array<int> begun(10);
    auto single = pool.apply_async(mp::TaskOptions{.retries = 2}, Flaky<>{2, 2, begun}, 2);
    auto map = pool.map_async(Flaky<>{5, 2, begun}, {5, 6, 7}, {.retries = 2});
    pool.close();
    CHECK(pool.join(60s));
    CHECK(single.get() == 20);
    CHECK(map.get() == std::vector{50, 60, 70});
}

TEST_CASE("a pool that is terminated gives up what waits for another attempt", "[pool]") {
    mp::Pool pool(1);
    const Tally tally;
    const auto dies = [](const Tally& attempts, int x) {
        attempts.add(x, 1);
        vanish(9);
        return x;
    };
    auto single = pool.apply_async(mp::TaskOptions{.retries = 20}, dies, tally, 1);
    auto map = pool.map_async(mp::partial(dies, tally), {2, 3}, {.retries = 20});
    tally.wait_for(1, 2);
    tally.wait_for(2, 2);
    pool.terminate();
    CHECK(pool.join(60s));
    CHECK_THROWS_AS(single.get(), mp::CancelledError);
    CHECK_THROWS_AS(map.get(), mp::CancelledError);
}

TEST_CASE("a time limit is a reason for another attempt", "[pool]") {
    // Which the others do not take on a busy machine either.
    mp::Pool pool({.processes = 2, .timeout = 2s, .retries = 1});
    const auto first_is_stuck = [](int x) {
        while (x == 1 && mp::current_task().attempt() == 1) std::this_thread::sleep_for(1h);
        return x;
    };
    CHECK(pool.apply(first_is_stuck, 1) == 1);
    CHECK(pool.map(first_is_stuck, {0, 1, 2}) == std::vector{0, 1, 2});
    const auto stuck = [](int) { std::this_thread::sleep_for(1h); };
    CHECK(thrown_by<mp::TimeLimitExceeded>([&] { pool.map(stuck, {1}, {.timeout = 200ms}); }).attempt() == 2);
}

TEST_CASE("an executor tries again, and reports the last attempt only", "[pool]") {
    mp::futures::ProcessPoolExecutor executor({.max_workers = 2, .retries = 2});
    const mp::Array<int> begun(10);
    const Tally tally;
    auto future = executor.submit(Flaky<>{3, 2, begun}, 3);
    future.add_done_callback([tally](const auto& f) { tally.add(0, f.result()); });
    CHECK(future.result() == 30);
    tally.wait_for(0, 30);
    CHECK(tally.get(0) == 30);
    auto lost = executor.submit(Flaky<>{4, 9, begun}, 4);
    const auto error = thrown_by<mp::futures::BrokenProcessPool>([&] { lost.result(); });
    CHECK(error.attempt() == 3);
    CHECK(begun[4] == 3);
}

TEST_CASE("shared handles among the arguments are there in each attempt", "[pool]") {
    mp::Pool pool(2);
    const auto before = mp::detail::tree().space.high_water();
    for (int round = 0; round < 3; ++round) {
        mp::Queue<int> queue;
        const auto puts = [](mp::Queue<int> q, int x) {
            q.put(x);
            if (mp::current_task().attempt() == 1) vanish(9);
            return x;
        };
        CHECK(pool.apply_async(mp::TaskOptions{.retries = 1}, puts, queue, 4).get() == 4);
        CHECK(queue.get(60s) == 4);
        CHECK(queue.get(60s) == 4);
        struct Job {
            mp::Queue<int> queue;
            int number;
        };
        const auto of_item = [](Job job) {
            job.queue.put(job.number);
            if (mp::current_task().attempt() == 1) vanish(9);
            return job.number;
        };
        CHECK(pool.map(of_item, std::vector{Job{queue, 1}, Job{queue, 2}}, {.retries = 1}) ==
              std::vector{1, 2});
        int sum = 0;
        for (int i = 0; i < 4; ++i) sum += queue.get(60s);
        CHECK(sum == 6);
    }
    CHECK(mp::detail::tree().space.high_water() >= before);
}

TEST_CASE("retries that are too many are refused", "[pool]") {
    mp::Pool pool(1);
    CHECK_THROWS_AS(pool.map(identity, {1}, {.retries = 2'000'000}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .retries = 2'000'000}), std::invalid_argument);
}

TEST_CASE("a closed pool starts no workers while its last task waits for another attempt", "[pool]") {
    const Tally starts;
    mp::Pool pool(
        {.processes = 4}, [](const Tally& tally) { tally.add(0, 1); }, starts);
    auto result = pool.apply_async(mp::TaskOptions{.retries = 3}, [] { vanish(9); }); // 0.7 s of waiting
    auto map = pool.map_async([](int) { vanish(9); }, {1}, {.retries = 3});
    pool.close();
    CHECK(pool.join(60s));
    CHECK_THROWS_AS(result.get(), mp::WorkerLostError);
    CHECK_THROWS_AS(map.get(), mp::WorkerLostError);
    CHECK(starts.get(0) < 40);
}

TEST_CASE("a map that was killed is cancelled as a whole, whatever of it had failed", "[pool]") {
    mp::Pool pool(2);
    const Tally tally;
    const auto fails_or_waits = [](const Tally& attempts, int x) -> int {
        attempts.add(x, 1);
        if (x == 0) throw std::domain_error("0");
        for (;;) std::this_thread::sleep_for(1h);
    };
    for (const bool terminates : {false, true}) {
        auto map = pool.map_async(mp::partial(fails_or_waits, tally), {0, 1}, {.chunksize = 1, .retries = 1});
        tally.wait_for(1, terminates ? 2 : 1);
        std::this_thread::sleep_for(20ms);
        if (terminates) {
            pool.terminate();
        } else {
            CHECK(map.kill());
        }
        CHECK_THROWS_AS(map.get(), mp::CancelledError);
    }
}

TEST_CASE("a map of which many items are tried again costs no more for each than one with few", "[pool]") {
    mp::Pool pool(4);
    const auto all_fail_once = [](int x) {
        if (mp::current_task().attempt() == 1) vanish(9);
        return x;
    };
    CHECK(pool.map(all_fail_once, numbers(600), {.chunksize = 10, .retries = 1}) == numbers(600));
}

TEST_CASE("an executor that breaks with a worker does not while its task is tried again", "[pool]") {
    mp::futures::ProcessPoolExecutor executor({.max_workers = 1, .break_on_worker_loss = true, .retries = 1});
    mp::Array<int> begun(5);
    CHECK(executor.submit(Flaky<>{3, 1, begun}, 3).result() == 30);
    CHECK_THROWS_AS(executor.submit(Flaky<>{4, 9, begun}, 4).result(), mp::futures::BrokenProcessPool);
    CHECK_THROWS_AS(executor.submit(identity, 1).result(), mp::futures::BrokenProcessPool);
}
