// SPDX-License-Identifier: BSL-1.0
// What a pool's map and apply cost.

#include "bench.hpp"
#include "python.hpp"

#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/spawn.hpp>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#ifdef MP_BENCH_TBB
#include <tbb/parallel_for.h>
#endif

namespace mp = multiprocessing;

namespace {

int square(int x) { return static_cast<int>(static_cast<unsigned>(x) * static_cast<unsigned>(x)); }

struct Square {
    int operator()(int x) const { return square(x); }
};

/// Primes in a range, by trial division: later ranges are more work.
struct CountPrimes {
    static constexpr int limit = 2'000'000;
    static constexpr int ranges = 64;

    long operator()(int range) const {
        long primes = 0;
        const int size = limit / ranges;
        for (int n = range * size; n < (range + 1) * size; ++n) primes += is_prime(n);
        return primes;
    }
    static bool is_prime(int n) {
        if (n < 2) return false;
        for (int d = 2; d <= n / d; ++d) {
            if (n % d == 0) return false;
        }
        return true;
    }
};

struct Reverse {
    std::string operator()(const std::string& text) const { return {text.rbegin(), text.rend()}; }
};

void squares(mp::Pool& pool, bench::Python& python) {
    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto ours = [&] { bench::keep(pool.map(Square{}, numbers)); };

    const char* const against_tbb = "map of 1,000,000 ints, x*x, copied in and out / oneTBB's parallel_for";
#ifdef MP_BENCH_TBB
    std::vector<int> results(numbers.size());
    bench::compare(
        against_tbb, 3, ours,
        [&] {
            tbb::parallel_for(tbb::blocked_range<std::size_t>(0, numbers.size()), [&](const auto& range) {
                for (std::size_t i = range.begin(); i != range.end(); ++i) results[i] = square(numbers[i]);
            });
            bench::keep(results);
        },
        20, std::chrono::seconds{6});
#else
    bench::skipped(against_tbb, "no oneTBB");
#endif
    if (python.available()) {
        bench::compare("the same / CPython's Pool.map", 0.01, ours, [&] { return python.round("map"); });
    } else {
        bench::skipped("the same / CPython's Pool.map", "no python3");
    }
    mp::shared_vector<int> shared(numbers);
    mp::shared_vector<int> into(numbers.size());
    bench::compare(
        "the same map from one shared_vector into another / copied in and out", 0.9,
        [&] { pool.map_into(Square{}, shared, into); }, ours, 20);
}

/// Threads that take one range after the other.
long primes_by_threads(int count) {
    std::atomic<int> next{0};
    std::atomic<long> primes{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&] {
            for (int range; (range = next.fetch_add(1)) < CountPrimes::ranges;) primes += CountPrimes{}(range);
        });
    }
    for (std::thread& thread : threads) thread.join();
    return primes;
}

void uneven(mp::Pool& pool) {
    std::vector<int> ranges(CountPrimes::ranges);
    std::iota(ranges.begin(), ranges.end(), 0);
    bench::compare(
        "map of uneven work, primes in 64 ranges / std::thread, dynamic", 1.03,
        [&] {
            const auto primes = pool.map(CountPrimes{}, ranges);
            bench::keep(std::accumulate(primes.begin(), primes.end(), 0L));
        },
        [] { bench::keep(primes_by_threads(mp::process_cpu_count())); }, 10, std::chrono::seconds{8});
}

/// Text that has to be encoded, against plain copies of the same bytes: in, and out.
void strings(mp::Pool& pool) {
    const std::vector<std::string> texts(1000, std::string(10'000, 'x'));
    std::vector<std::string> copies;
    bench::compare(
        "map of 1,000 strings of 10 kB / the same in this thread", {},
        [&] { bench::keep(pool.map(Reverse{}, texts)); },
        [&] {
            copies.clear();
            for (const std::string& text : texts) copies.push_back(Reverse{}(text));
            bench::keep(copies);
        },
        20);
}

/// A thousand tasks that do nothing, announced and then waited for.
void many_tasks(mp::Pool& pool) {
    constexpr int tasks = 10'000;
    std::vector<mp::AsyncResult<int>> results;
    const auto ours = [&] {
        const double time = bench::seconds([&] {
            for (int i = 0; i < tasks; ++i) results.push_back(pool.apply_async(Square{}, i));
            for (const auto& result : results) bench::keep(result.get());
        });
        results.clear();
        return time / tasks;
    };
    const auto thread = [&] {
        return bench::seconds([&] {
                   for (int i = 0; i < tasks / 100; ++i) std::thread([] {}).join();
               }) /
               (tasks / 100);
    };
    bench::compare("apply_async and get, each of 10,000 / a std::thread for it", {}, ours, thread);
}

void round_trip(mp::Pool& pool, bench::Python& python) {
    const auto ours = [&] { bench::keep(pool.apply(Square{}, 7)); };
    if (python.available()) {
        bench::compare("apply, there and back / CPython's Pool.apply", 0.25, ours,
                       [&] { return python.round("apply"); });
    } else {
        bench::skipped("apply, there and back / CPython's Pool.apply", "no python3");
    }
}

} // namespace

int main() {
    mp::freeze_support();
    bench::Python python;
    mp::Pool pool;
    squares(pool, python);
    uneven(pool);
    round_trip(pool, python);
    many_tasks(pool);
    strings(pool);
}
