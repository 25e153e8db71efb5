// error: lambda.* cannot cross a process boundary \(lambda with captures .*: captures cannot be inspected; pass them as arguments, fix them by multiprocessing::partial\(function, values...\), or write a struct with operator\(\) that has them as members\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

int main() {
    multiprocessing::Pool pool;
    int factor = 3;
#ifdef TWIN
    pool.apply([](int number, int by) { return by * number; }, 2, factor);
#else
    pool.apply([&factor](int number) { return factor * number; }, 2);
#endif
}
