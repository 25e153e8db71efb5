// SPDX-License-Identifier: BSL-1.0
// A program that owns its main().
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstdlib>

namespace mp = multiprocessing;

void work(int code) { std::exit(code); }
int square(int number) { return number * number; }

int main() {
    mp::freeze_support();
    mp::set_start_method(mp::StartMethod::spawn);
    mp::Process process(work, 7);
    process.start();
    process.join();
    if (process.exitcode() != 7) return 1;
    mp::Pool pool(2);
    if (pool.map(square, {1, 2, 3}) != std::vector<int>{1, 4, 9}) return 2;
    std::puts("own_main: as it should be");
    return 0;
}
