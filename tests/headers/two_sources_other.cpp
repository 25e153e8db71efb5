// SPDX-License-Identifier: BSL-1.0
// The other one, in the other order: see two_sources_main.cpp.
#include <vector>

#include <multiprocessing/multiprocessing.hpp>

namespace mp = multiprocessing;

namespace {
int add_one(int number) { return number + 1; }
} // namespace

mp::Logger& logger_of_other_source() { return mp::get_logger(); }
int (*task_of_other_source())(int) { return add_one; }
std::vector<int> map_in_other_source(mp::Pool& pool) {
    return pool.map([](int number) { return 3 * number; }, {1, 2});
}
