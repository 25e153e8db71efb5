// SPDX-License-Identifier: BSL-1.0
// Python (with the package tqdm), without the part of a season that is simulated by now:
//     def run(name, first):
//         return list(tqdm(pool.imap(simulate, range(first, first + 20)), total=20, desc=name, position=...))
//     with ThreadPool(2) as threads:
//         summers, winters = threads.starmap(run, [("summer", 0), ("winter", 100)])
//     for future in tqdm(as_completed(futures), total=len(futures)): ...

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <numeric>
#include <ranges>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

unsigned simulate(unsigned season) {
    constexpr int days = 90;
    unsigned weather = season;
    for (int day = 0; day < days; ++day) {
        for (int i = 0; i < 200'000; ++i) weather = weather * 1664525u + 1013904223u;
        mp::current_task().progress((day + 1.0) / days); // the bar moves while the season goes on
    }
    return weather >> 25;
}

unsigned sum(const std::vector<unsigned>& values) { return std::accumulate(values.begin(), values.end(), 0u); }

int main() {
    mp::freeze_support();

    // Two maps at once: on a terminal each has its bar, one below the other.
    mp::Pool pool;
    std::vector<unsigned> summers;
    std::jthread other(
        [&] { summers = pool.map(simulate, std::views::iota(0u, 20u), {.progress = "summer"}); });
    const auto winters = pool.map(simulate, std::views::iota(100u, 120u), {.progress = "winter"});
    other.join();
    std::cout << "summers " << sum(summers) << ", winters " << sum(winters) << '\n';

    // Futures as they complete.
    mp::futures::ProcessPoolExecutor executor;
    std::vector<mp::futures::Future<unsigned>> futures;
    for (unsigned season = 0; season < 20; ++season) futures.push_back(executor.submit(simulate, season));
    unsigned total = 0;
    for (auto& future : mp::futures::as_completed(futures, mp::no_timeout, "again")) total += future.result();
    std::cout << "summers again " << total << '\n';
}

// Output:
// summers 1133, winters 1188
// summers again 1133
