// SPDX-License-Identifier: BSL-1.0
// Python:
//     with ProcessPoolExecutor(2) as executor:
//         print(list(executor.map(pow, [2, 3, 10], [10, 4, 3])))
//         for square in executor.map(squared, itertools.count(), buffersize=4):    # Python 3.14
//             if square > 20: break
//             print(square)
//         try:
//             for _ in executor.map(time.sleep, [0, 3600], timeout=0.2): print("slept")
//         except TimeoutError: print("not in time")
//         executor.terminate_workers()    # Python 3.14

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

long power(long base, int exponent) {
    long result = 1;
    while (exponent-- > 0) result *= base;
    return result;
}
int squared(int x) { return x * x; }

int main() {
    mp::freeze_support();

    mp::futures::ProcessPoolExecutor executor(2);
    // Several ranges, as long as the shortest: one parameter each.
    for (const long result : executor.map(power, std::vector{2, 3, 10}, std::vector{10, 4, 3}))
        std::cout << result << ' ';
    std::cout << '\n';

    // Without a buffersize the whole input is read at once; with one it may be endless.
    for (const int square : executor.map(squared, std::views::iota(0), {.buffersize = 4})) {
        if (square > 20) break;
        std::cout << square << ' ';
    }
    std::cout << '\n';

    // The time is counted from the call. What runs is not ended by it.
    try {
        for (auto nothing :
             executor.map([](int s) { std::this_thread::sleep_for(s * 1s); }, {3600}, {.timeout = 200ms}))
            (void)nothing;
    } catch (const mp::futures::TimeoutError&) { std::cout << "not in time\n"; }
    executor.terminate_workers(); // the end of the scope would wait for an hour
}

// Output:
// 1024 81 1000
// 0 1 4 9 16
// not in time
