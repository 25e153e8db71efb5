// error: the function takes 3 arguments \(int, int, int\), and is called with 2 arguments \(int, int\): give all of them, as defaults are unknown here
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <tuple>
#include <vector>

#ifdef TWIN
int add(int left, int right) { return left + right; }
#else
int add(int left, int right, int carry) { return left + right + carry; }
#endif

int main() {
    multiprocessing::Pool pool;
    pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}});
}
