// SPDX-License-Identifier: BSL-1.0
// Python:
//     def power(base, exponent): return base ** exponent
//
//     with Pool() as pool:
//         print(pool.starmap(power, [(2, 10), (3, 4), (10, 3)]))
//         names, ages = ["Ada", "Alan"], [36, 41]
//         print(pool.starmap(introduce, zip(names, ages)))

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

long power(long base, int exponent) {
    long result = 1;
    while (exponent-- > 0) result *= base;
    return result;
}

std::string introduce(const std::string& name, int age) { return name + ", " + std::to_string(age); }

int main() {
    mp::freeze_support();

    mp::Pool pool;
    for (const long result : pool.starmap(power, {{2, 10}, {3, 4}, {10, 3}})) std::cout << result << '\n';

    // Any range of tuples, pairs or arrays will do.
    const std::vector<std::pair<std::string, int>> people{{"Ada", 36}, {"Alan", 41}};
    for (const std::string& line : pool.starmap(introduce, people)) std::cout << line << '\n';
}

// Output:
// 1024
// 81
// 1000
// Ada, 36
// Alan, 41
