// error: lambda.* cannot cross a process boundary \(lambda with captures .*: captures cannot be inspected; pass them as arguments, fix them by multiprocessing::partial\(function, values...\), or write a struct with operator\(\) that has them as members\)
// lines of Clang: 25
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <vector>

int main() {
    multiprocessing::Pool pool;
    const std::vector<int> numbers{1, 2, 3};
#ifdef TWIN
    pool.map([](int number) { return 3 * number; }, numbers);
#else
    const int factor = 3;
    pool.map([factor](int number) { return factor * number; }, numbers);
#endif
}
