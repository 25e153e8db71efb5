// SPDX-License-Identifier: BSL-1.0
// Python:
//     with Pool(2) as pool:
//         for square in pool.imap(squared, itertools.count(), buffersize=8):    # buffersize: Python 3.16
//             if square > 30: break
//             print(square)
//
//         results = pool.imap(halved, [8, 7, 6])
//         print(next(results))
//         try: next(results)
//         except ValueError as error: print(error)
//         print(results.next(timeout=60))

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <stdexcept>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int squared(int x) { return x * x; }
int halved(int x) {
    if (x % 2 != 0) throw std::invalid_argument("odd");
    return x / 2;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    // The input may be endless: it is read no further than 8 items ahead of the results.
    for (const int square : pool.imap(squared, std::views::iota(0), {.buffersize = 8})) {
        if (square > 30) break; // what has not begun is taken back
        std::cout << square << ' ';
    }
    std::cout << '\n';

    // An item that fails is an exception at its place, and the iterator goes on behind it.
    auto results = pool.imap(halved, {8, 7, 6});
    std::cout << *results.next() << '\n';
    try {
        results.next();
    } catch (const std::invalid_argument& error) { std::cout << error.what() << '\n'; }
    std::cout << *results.next(60s) << '\n'; // TimeoutError after a minute, and nothing is lost
    std::cout << (results.next() ? "one more" : "the end") << '\n';
}

// Output:
// 0 1 4 9 16 25
// 4
// odd
// 3
// the end
