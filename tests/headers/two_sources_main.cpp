// SPDX-License-Identifier: BSL-1.0
// One of two sources that include everything: they must link, and mean the same things.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>

namespace mp = multiprocessing;

mp::Logger& logger_of_other_source();
int (*task_of_other_source())(int);
std::vector<int> map_in_other_source(mp::Pool& pool);

int main() {
    mp::freeze_support();
    if (&mp::get_logger() != &logger_of_other_source()) {
        std::puts("each source has a log of its own");
        return 1;
    }
    mp::Pool pool(1);
    if (pool.apply(task_of_other_source(), 20) != 21) return 2;
    if (pool.map([](int number) { return 2 * number; }, {1, 2}) != std::vector<int>{2, 4}) return 3;
    if (map_in_other_source(pool) != std::vector<int>{3, 6}) return 4;
    return 0;
}
