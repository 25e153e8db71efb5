// error: .*map_into writes what the function returns: the results must be a shared_vector of that very type
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <vector>

#ifdef TWIN
double half(int x) { return x / 2.0; }
#else
float half(int x) { return static_cast<float>(x) / 2; }
#endif

int main() {
    multiprocessing::Pool pool;
    multiprocessing::shared_vector<double> halves;
    pool.map_into(half, std::vector<int>{1, 2}, halves);
}
