// error: the function takes a non-const reference: the child gets a copy; what it writes there is lost: use Value, Array, a Queue or the result
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <vector>

#ifdef TWIN
void twice(int) {}
#else
void twice(int& number) { number *= 2; }
#endif

int main() {
    std::vector<int> numbers{1, 2};
    multiprocessing::Pool pool;
    pool.map(twice, numbers);
}
