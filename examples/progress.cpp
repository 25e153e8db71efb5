// SPDX-License-Identifier: BSL-1.0
// Python (with the package tqdm):
//     with Pool(2) as pool:
//         results = list(tqdm(pool.imap(count_primes, range(0, 400)), total=400, unit="ranges"))

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <iostream>
#include <numeric>
#include <ranges>

namespace mp = multiprocessing;

bool is_prime(int n) {
    for (int divisor = 2; divisor * divisor <= n; ++divisor) {
        if (n % divisor == 0) return false;
    }
    return n > 1;
}

int count_primes(int thousand) {
    const auto numbers = std::views::iota(thousand * 1000, (thousand + 1) * 1000);
    return static_cast<int>(std::ranges::count_if(numbers, is_prime));
}

int main() {
    mp::freeze_support();

    mp::Pool pool;
    const auto ranges = std::views::iota(0, 400);

    // A bar with rate and time left on a terminal, a line every few seconds elsewhere; always on standard error.
    const auto counts = pool.map(count_primes, ranges, {.progress = "ranges"});
    std::cout << std::accumulate(counts.begin(), counts.end(), 0) << " primes\n";

    // Or a function of yours, about ten times a second and once at the end.
    pool.map(count_primes, ranges, {.progress = [](const mp::ProgressReport& report) {
                 if (report.done == report.total) std::cout << report.done << " of " << report.total << '\n';
             }});
}

// Output:
// 33860 primes
// 400 of 400
