// SPDX-License-Identifier: BSL-1.0
// Time limits of tasks and items: the one that is too long is ended, and nothing else.
#include <support/inputs.hpp>

#include <multiprocessing/detail/platform/process_barrier.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <support/filter.hpp>

#include <cerrno>

#include <sys/syscall.h>
#endif

using namespace process;

namespace {

/// Never ends at item `stuck`; the others take no time.
template <class R = int>
struct Stuck {
    int stuck = -1;
    R operator()(int x) const {
        while (x == stuck) std::this_thread::sleep_for(1h);
        if constexpr (std::is_same_v<R, std::string>) {
            return std::to_string(x);
        } else {
            return R{x};
        }
    }
};

constexpr auto limit = 300ms;
/// For where something else has to end within its limit, on a machine that has other things to do.
constexpr auto generous_limit = 2s;

std::vector<int> numbers(int count) {
    std::vector<int> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
    return result;
}

} // namespace

TEST_CASE("a task that takes too long is ended, and says why", "[pool]") {
    mp::Pool pool(2);
    const auto error = thrown_by<mp::TimeLimitExceeded>(
        [&] { pool.apply_async(mp::TaskOptions{.timeout = limit}, Stuck<>{1}, 1).get(); });
    CHECK_THAT(error.what(), ContainsSubstring("a task ran longer than its time limit of 300 ms"));
    CHECK(error.pid() > 0);
    CHECK(error.exitcode() == -9);
    CHECK(error.worker().value() < 2);
    CHECK_FALSE(error.task_index());
    CHECK(error.attempt() == 1);
    CHECK(error.attempts() == 1);
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = limit}, Stuck<>{1}, 1).get(), mp::TimeoutError);
    CHECK(pool.apply(identity, 7) == 7); // the pool lives
    CHECK(pool.apply_async(mp::TaskOptions{.timeout = generous_limit}, identity, 3).get() == 3);
}

TEST_CASE("nothing is ended before its time limit is over", "[pool]") {
    mp::Pool pool(1);
    const auto is_kept = [&](auto call) {
        pool.apply(identity, 1); // the worker is there: starting it takes none of the time
        const auto begin = std::chrono::steady_clock::now();
        CHECK_THROWS_AS(call(), mp::TimeLimitExceeded);
        return std::chrono::steady_clock::now() - begin >= limit;
    };
    for (int i = 0; i < 2; ++i) {
        CHECK(is_kept([&] { pool.apply_async(mp::TaskOptions{.timeout = limit}, Stuck<>{1}, 1).get(); }));
        CHECK(is_kept([&] { pool.map(Stuck<>{0}, {0}, {.timeout = limit}); }));
        CHECK(is_kept([&] { pool.imap(Stuck<>{0}, {0}, {.timeout = limit}).next(); }));
    }
}

TEST_CASE("a time limit counts from when the task begins, not while it waits", "[pool]") {
    mp::Pool pool(1);
    const auto nap = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
    std::vector<mp::AsyncResult<void>> results;
    for (int i = 0; i < 8; ++i)
        results.push_back(pool.apply_async(mp::TaskOptions{.timeout = 1500ms}, nap, 250ms));
    for (const auto& result : results) CHECK_NOTHROW(result.get());
}

TEST_CASE("the limit of an item costs that item alone, in every way to map", "[pool]") {
    mp::Pool pool(2);
    const auto items = numbers(200);
    const mp::MapOptions options{.chunksize = 50, .timeout = generous_limit};
    const auto outcomes = pool.try_map(Stuck<>{60}, items, options);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        INFO("item " << i);
        CHECK(outcomes[i].has_value() == (i != 60));
    }
    CHECK(thrown_by<mp::TimeLimitExceeded>([&] { outcomes[60].value(); }).task_index() == 60u);
    const auto texts = pool.try_map(Stuck<std::string>{3}, items, options);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i != 3) CHECK(texts[i].value() == std::to_string(i));
    }
    CHECK_FALSE(texts[3].has_value());
    CHECK(thrown_by<mp::TimeLimitExceeded>([&] { pool.map(Stuck<>{150}, items, options); }).task_index() ==
          150u);
    CHECK(pool.map(Stuck<>{}, items, options) == items);
    CHECK(pool.map(Stuck<std::string>{}, items, options).back() == "199");

    auto results = pool.imap(Stuck<>{77}, items, options);
    int wrong = 0;
    for (int i = 0; i < 200; ++i) {
        try {
            wrong += results.next() != i;
        } catch (const mp::TimeLimitExceeded& error) { wrong += error.task_index() != 77u || i != 77; }
    }
    CHECK(wrong == 0);
    CHECK_FALSE(results.next());
}

TEST_CASE("imap_unordered yields the others of an item that exceeds its limit", "[pool]") {
    mp::Pool pool(2);
    auto results = pool.imap_unordered(Stuck<>{3}, numbers(8), {.chunksize = 4, .timeout = generous_limit});
    std::vector<int> values;
    int exceeded = 0;
    for (int i = 0; i < 8; ++i) {
        try {
            values.push_back(results.next().value());
        } catch (const mp::TimeLimitExceeded& error) { exceeded += error.task_index() == 3u; }
    }
    CHECK_FALSE(results.next());
    CHECK(exceeded == 1);
    std::ranges::sort(values);
    CHECK(values == std::vector{0, 1, 2, 4, 5, 6, 7});
}

TEST_CASE("a pool's time limit holds for what says nothing else", "[pool]") {
    mp::Pool pool({.processes = 2, .timeout = limit});
    CHECK_THROWS_AS(pool.apply(Stuck<>{1}, 1), mp::TimeLimitExceeded);
    CHECK_THROWS_AS(pool.map(Stuck<>{1}, {0, 1, 2}), mp::TimeLimitExceeded);
    const auto nap = [](int x) { return std::this_thread::sleep_for(2 * limit), x; };
    CHECK(pool.apply_async(mp::TaskOptions{.timeout = mp::no_timeout}, nap, 5).get() == 5);
    CHECK(pool.map(nap, {5}, {.timeout = 60s}) == std::vector{5});
}

TEST_CASE("map_into with a time limit leaves the items that were done", "[pool]") {
    mp::Pool pool(2);
    mp::shared_vector<int> results;
    CHECK_THROWS_AS(pool.map_into(Stuck<>{2}, numbers(4), results, {.chunksize = 1, .timeout = generous_limit}),
                    mp::TimeLimitExceeded);
    CHECK(results[0] == 0);
    CHECK(results[1] == 1);
    CHECK(results[3] == 3);
    pool.map_into(Stuck<>{}, numbers(4), results, {.timeout = 60s});
    CHECK(std::vector(results.begin(), results.end()) == numbers(4));
}

TEST_CASE("an executor's time limit ends the call that exceeds it", "[pool]") {
    mp::futures::ProcessPoolExecutor executor({.max_workers = 2, .timeout = generous_limit});
    const auto stuck = executor.submit(Stuck<>{1}, 1);
    const auto fine = executor.submit(Stuck<>{1}, 2);
    CHECK(fine.result() == 2);
    CHECK_THROWS_AS(stuck.result(), mp::TimeLimitExceeded);
    CHECK_THROWS_AS(std::rethrow_exception(stuck.exception()), mp::TimeoutError);
    auto results = executor.map(Stuck<>{1}, {0, 1, 2});
    auto at = results.begin();
    CHECK(*at == 0);
    CHECK_THROWS_AS(*++at, mp::TimeLimitExceeded);
}

TEST_CASE("a limit of no time is refused, and one that is shorter than a round ends the task", "[pool]") {
    mp::Pool pool(1);
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = 0s}, identity, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.map(identity, {1}, {.timeout = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .timeout = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = 1us}, Stuck<>{1}, 1).get(),
                    mp::TimeLimitExceeded);
}

#if !defined(_WIN32)
TEST_CASE("a task that blocks every signal, or is stopped, is ended by its time limit", "[pool]") {
    mp::Pool pool(1);
    const auto deaf = [] {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
        for (;;) std::this_thread::sleep_for(1h);
    };
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = limit}, deaf).get(), mp::TimeLimitExceeded);
    const auto stops = [](int) { return std::raise(SIGSTOP); };
    CHECK_THROWS_AS(pool.map(stops, {1}, {.timeout = limit}), mp::TimeLimitExceeded);
    CHECK(pool.apply(identity, 7) == 7);
}
#endif

#if defined(__linux__)
TEST_CASE("where the system refuses the barrier of processes, limits hit nobody else either", "[pool]") {
    // In a child, as a filter stays.
    const auto refused = [] {
        if (!support::refuse_call(SYS_membarrier, ENOSYS)) return;
        if (mp::detail::platform::has_process_barrier()) mp::detail::platform::exit_now(2);
        mp::Pool pool(2);
        const auto outcomes =
            pool.try_map(Stuck<>{60}, numbers(200), {.chunksize = 50, .timeout = generous_limit});
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            if (outcomes[i].has_value() == (i == 60)) mp::detail::platform::exit_now(3);
        }
    };
    mp::Process child(refused);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
}
#endif

TEST_CASE("a task that looks like an earlier one, as its word came round, has its own time", "[pool]") {
    mp::Pool pool(1);
    const auto nap = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
    pool.apply_async(mp::TaskOptions{.timeout = 2s}, nap, 60ms).get();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 65'535; ++i) pool.apply(identity, i);
    std::this_thread::sleep_until(begin + 2100ms); // an old one would be over its limit by now
    CHECK_NOTHROW(pool.apply_async(mp::TaskOptions{.timeout = 2s}, nap, 60ms).get());
}

// An item that ends around its limit either has its result or the error, and its neighbours have theirs.
TEST_CASE("items that end around their limit: no other is hit, and none is run twice", "[pool]") {
    constexpr int count = 400;
    struct AroundLimit {
        mp::Array<int> begun;
        mp::Array<int> ended;
        int operator()(int x) {
            begun[static_cast<std::size_t>(x)] += 1;
            if (x % 4 == 0) {
                const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{3800 + x * 2};
                while (std::chrono::steady_clock::now() < until) {}
            }
            ended[static_cast<std::size_t>(x)] += 1;
            return 3 * x;
        }
    };
    mp::Pool pool(2);
    const mp::Array<int> begun(count);
    const mp::Array<int> ended(count);
    const auto outcomes =
        pool.try_map(AroundLimit{begun, ended}, numbers(count), {.chunksize = 40, .timeout = 4ms});
    int wrong = 0;
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        wrong += begun[at] > 1 || ended[at] > 1;
        if (outcomes[at]) {
            wrong += *outcomes[at] != 3 * i || ended[at] != 1;
        } else {
            // An item that takes no time may be descheduled for longer than the limit; that is its bad luck.
            const auto error = thrown_by<mp::TimeLimitExceeded>([&] { outcomes[at].value(); });
            wrong += error.task_index() != at;
        }
    }
    CHECK(wrong == 0);
}
