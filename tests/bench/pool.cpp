// SPDX-License-Identifier: BSL-1.0
// What the results of imap, of single tasks and of an executor cost, one by one.

#include "bench.hpp"
#include "python.hpp"

#include <multiprocessing/connection.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/spawn.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <ranges>
#include <thread>
#include <vector>

#ifdef MP_BENCH_TBB
#include <tbb/task_group.h>
#endif

namespace mp = multiprocessing;
namespace futures = multiprocessing::futures;

namespace {

int square(int x) { return static_cast<int>(static_cast<unsigned>(x) * static_cast<unsigned>(x)); }

/// Some 100 ns.
double work(int x) {
    double y = x;
    for (int i = 0; i < 100; ++i) y = y * 1.0000001 + 1;
    return y;
}
/// Busy for `microseconds`.
void spin_for(int microseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{microseconds};
    while (std::chrono::steady_clock::now() < end) {}
}
void uneven(int index) { spin_for(index % 50 == 0 ? 500 : 1); }
void even(int) { spin_for(100); }

/// What people write who have no library: threads, a queue, a future for each call.
class ThreadPool {
public:
    explicit ThreadPool(int threads) {
        for (int i = 0; i < threads; ++i) {
            threads_.emplace_back([this] {
                for (std::unique_lock lock{mutex_};;) {
                    changed_.wait(lock, [this] { return ended_ || !calls_.empty(); });
                    if (calls_.empty()) return;
                    const auto call = std::move(calls_.front());
                    calls_.pop_front();
                    lock.unlock();
                    call();
                    lock.lock();
                }
            });
        }
    }
    ~ThreadPool() {
        {
            std::lock_guard lock{mutex_};
            ended_ = true;
        }
        changed_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    std::future<int> submit(int x) {
        auto task = std::make_shared<std::packaged_task<int()>>([x] { return square(x); });
        auto future = task->get_future();
        {
            std::lock_guard lock{mutex_};
            calls_.emplace_back([task] { (*task)(); });
        }
        changed_.notify_one();
        return future;
    }

private:
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> calls_;
    bool ended_ = false;
};

template <class Range>
double sum_of(Range&& range) {
    double sum = 0;
    for (const auto value : range) sum += static_cast<double>(value);
    return sum;
}

void items(mp::Pool& pool, bench::Python& python) {
    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    bench::compare(
        "imap of 1,000,000 ints, x*x / map of them", 4,
        [&] { bench::keep(sum_of(pool.imap(square, numbers))); },
        [&] { bench::keep(sum_of(pool.map(square, numbers))); }, 10);
    const std::vector<int> some(200'000, 3);
    bench::compare(
        "imap of 200,000 calls of 100 ns / map of them", 1.2,
        [&] { bench::keep(sum_of(pool.imap(work, some))); }, [&] { bench::keep(sum_of(pool.map(work, some))); },
        10);
    if (python.available()) {
        const std::vector<int> few(100'000, 3);
        bench::compare(
            "imap of 100,000 in chunks of 100 / CPython's", 1.0 / 50,
            [&] { bench::keep(sum_of(pool.imap(square, few, {.chunksize = 100}))); },
            [&] { return python.round("imap"); }, 5);
    }
}

void tasks(mp::Pool& pool, bench::Python& python) {
    constexpr int count = 100'000;
    const auto ours = [&] {
        std::vector<mp::AsyncResult<int>> results;
        results.reserve(count);
        for (int i = 0; i < count; ++i) results.push_back(pool.apply_async(square, i));
        for (const auto& result : results) bench::keep(result.get());
    };
#ifdef MP_BENCH_TBB
    bench::compare(
        "100,000 apply_async with results / oneTBB's task_group", 2, ours,
        [&] {
            std::vector<int> results(count);
            tbb::task_group group;
            for (int i = 0; i < count; ++i)
                group.run([&results, i] { results[static_cast<std::size_t>(i)] = square(i); });
            group.wait();
            bench::keep(results);
        },
        5);
#else
    bench::skipped("100,000 apply_async with results / oneTBB's task_group", "no oneTBB");
#endif
    ThreadPool threads{2};
    bench::compare(
        "the same / a std::thread pool with futures", 0.25, ours,
        [&] {
            std::vector<std::future<int>> results;
            for (int i = 0; i < count; ++i) results.push_back(threads.submit(i));
            for (auto& result : results) bench::keep(result.get());
        },
        5);
    if (python.available())
        bench::compare(
            "the same / CPython's apply_async", 1.0 / 150, ours, [&] { return python.round("apply_async"); },
            3);
    futures::ProcessPoolExecutor executor;
    const auto submitted = [&] {
        std::vector<futures::Future<int>> results;
        results.reserve(count);
        for (int i = 0; i < count; ++i) results.push_back(executor.submit(square, i));
        for (const auto& result : results) bench::keep(result.result());
    };
    if (python.available())
        bench::compare(
            "100,000 calls of an executor / CPython's ProcessPoolExecutor", 1.0 / 100, submitted,
            [&] { return python.round("executor"); }, 3);
}

/// Threads that take one item after the other from a shared counter.
void by_threads(int count, void (*call)(int)) {
    std::atomic<int> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            for (int item; (item = next.fetch_add(1)) < count;) call(item);
        });
    for (std::thread& thread : threads) thread.join();
}

void workers(bench::Python& python) {
    mp::Pool two{2};
    const auto indexes = std::views::iota(0, 20'000);
    bench::compare(
        "map of 20,000 uneven calls (1 us, each 50th 500 us) / two threads on a counter", 1.03,
        [&] { two.map(uneven, indexes); }, [] { by_threads(20'000, uneven); }, 5);
    {
        mp::Pool many{64};
        const auto some = std::views::iota(0, 10'000);
        bench::compare(
            "map of 10,000 calls of 100 us, 64 workers / 2 workers", 1.1,
            [&] { many.map(even, some, {.chunksize = 1}); }, [&] { two.map(even, some, {.chunksize = 1}); }, 3);
    }
    const auto child = [] {
        mp::Process a([] {});
        mp::Process b([] {});
        a.start();
        b.start();
        a.join();
        b.join();
    };
    bench::compare(
        "a Pool of 2 made, used once and destroyed / two processes started and joined", 1.3,
        [] {
            mp::Pool pool{2};
            bench::keep(pool.apply(square, 3));
        },
        child, 10);
    static_cast<void>(python);
}

void busy_for_a_microsecond(int) { spin_for(1); }

/// What limits and retries cost that are not needed.
void faults() {
    constexpr auto far = std::chrono::hours{1};
    constexpr std::size_t much = std::size_t{64} << 30;
    mp::Pool pool(2);
    const auto singles = [&](const mp::TaskOptions& options) {
        std::vector<mp::AsyncResult<void>> results;
        for (int i = 0; i < 10'000; ++i)
            results.push_back(pool.apply_async(options, busy_for_a_microsecond, i));
        for (const auto& result : results) result.get();
    };
    const auto without = [&] { singles({}); };
    bench::compare(
        "10,000 tasks of 1 us with a time limit / without", 1.05, [&] { singles({.timeout = far}); }, without,
        15);
    bench::compare(
        "the same with 3 retries allowed / none", 1.02, [&] { singles({.retries = 3}); }, without, 15);
    bench::compare(
        "the same with a memory limit / without", 1.02, [&] { singles({.memory_limit = much}); }, without, 15);
    std::vector<int> some(200'000);
    std::iota(some.begin(), some.end(), 0);
    bench::compare(
        "map of 200,000 items of 1 us, with a time limit / without", 1.03,
        [&] { pool.map(busy_for_a_microsecond, some, {.timeout = far}); },
        [&] { pool.map(busy_for_a_microsecond, some); }, 15);
    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    bench::compare(
        "map of 1,000,000 ints, x*x, with a time limit / without", 1.3,
        [&] { bench::keep(pool.map(square, numbers, {.timeout = far}).back()); },
        [&] { bench::keep(pool.map(square, numbers).back()); }, 15);
    mp::shared_vector<int> in(numbers.begin(), numbers.end());
    mp::shared_vector<int> out(numbers.size());
    bench::compare(
        "the same in place", 1.6, [&] { pool.map_into(square, in, out, {.timeout = far}); },
        [&] { pool.map_into(square, in, out); }, 15);
}

/// How long urgent work waits behind a long map.
void priority() {
    mp::Pool pool(2);
    const auto chunk = std::chrono::microseconds{10 * 100};
    double best = 1e9;
    for (int round = 0; round < 15; ++round) {
        auto map =
            pool.map_async(even, std::vector<int>(10'000), {.chunksize = 10, .priority = mp::Priority::low});
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
        best = std::min(
            best, bench::seconds([&] {
                bench::keep(pool.apply_async(mp::TaskOptions{.priority = mp::Priority::high}, square, 3).get());
            }));
        map.kill();
        map.wait();
    }
    bench::row("a high task behind a low map of 10,000 items of 100 us / one chunk of it", best,
               std::chrono::duration<double>(chunk).count(), 1.5);
}

/// How soon a killed worker is replaced.
void replacement() {
    mp::Pool pool(1);
    bench::compare(
        "a worker is killed, and its replacement serves / a process started and joined", 1.3,
        [&] {
            try {
                pool.apply([] { mp::detail::platform::exit_now(3); });
            } catch (const mp::WorkerLostError&) {}
            bench::keep(pool.apply(square, 3));
        },
        [] {
            mp::Process process([] {});
            process.start();
            process.join();
        },
        15);
}

} // namespace

int main() {
    mp::freeze_support();
    bench::Python python;
    faults();
    priority();
    replacement();
    mp::Pool pool;
    items(pool, python);
    tasks(pool, python);
    workers(python);
}
