// error: field 0 'table' of Lookup: const int ?\* cannot cross a process boundary \(raw pointer: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <vector>

struct Lookup {
#ifdef TWIN
    std::vector<int> table;
#else
    const int* table;
#endif
    int operator()(int at) const { return at; }
};

int main() {
    multiprocessing::Pool pool;
    pool.apply(Lookup{{}}, 1);
}
