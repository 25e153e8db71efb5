// error: the items of starmap are tuples, pairs or arrays of arguments, and int is none; for single arguments use map
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <tuple>
#include <vector>

int add(int left, int right) { return left + right; }

int main() {
    multiprocessing::Pool pool;
#ifdef TWIN
    pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}});
#else
    pool.starmap(add, std::vector<int>{1, 2});
#endif
}
