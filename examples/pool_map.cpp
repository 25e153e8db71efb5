// SPDX-License-Identifier: BSL-1.0
// Python:
//     def square(x): return x * x
//
//     with Pool(4) as pool:
//         print(pool.map(square, range(10)))
//         print(pool.map(len, ["one", "three", "seven"]))

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <ranges>
#include <string>
#include <vector>

namespace mp = multiprocessing;

int square(int x) { return x * x; }

void print(const std::vector<int>& numbers) {
    for (const int number : numbers) std::cout << number << ' ';
    std::cout << '\n';
}

int main() {
    mp::freeze_support();

    mp::Pool pool(4);
    print(pool.map(square, std::views::iota(0, 10)));

    const std::vector<std::string> words{"one", "three", "seven"};
    print(pool.map([](const std::string& word) { return static_cast<int>(word.size()); }, words));
} // the end of its scope ends the pool, as `with` does

// Output:
// 0 1 4 9 16 25 36 49 64 81
// 3 5 5
