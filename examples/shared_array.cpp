// SPDX-License-Identifier: BSL-1.0
// Python:
//     def halve(numbers, begin, end):
//         for i in range(begin, end): numbers[i] /= 2
//
//     numbers = Array("d", range(8))
//     a = Process(target=halve, args=(numbers, 0, 4)); b = Process(target=halve, args=(numbers, 4, 8))
//     a.start(); b.start(); a.join(); b.join()
//     print(numbers[:], sum(numbers))

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <numeric>
#include <ranges>
#include <vector>

namespace mp = multiprocessing;

// The elements are the parent's own: nothing is copied, there or back. span() is plain memory, at its speed.
void halve(mp::Array<double> numbers, std::size_t begin, std::size_t end) {
    for (double& x : numbers.span().subspan(begin, end - begin)) x /= 2;
}

int main() {
    mp::freeze_support();

    mp::Array<double> numbers(std::views::iota(0, 8));
    mp::Process a(halve, numbers, 0, 4);
    mp::Process b(halve, numbers, 4, 8);
    a.start();
    b.start();
    a.join();
    b.join();
    for (const double x : numbers) std::cout << x << ' ';
    std::cout << "sum " << std::accumulate(numbers.begin(), numbers.end(), 0.0) << '\n';

    std::ranges::sort(numbers, std::greater{}); // an Array is a contiguous range
    const std::vector<double> content = numbers.copy();
    std::cout << "largest " << content.front() << '\n';
}

// Output:
// 0 0.5 1 1.5 2 2.5 3 3.5 sum 14
// largest 3.5
