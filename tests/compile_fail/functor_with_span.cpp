// error: field 0 'table' of Lookup: std::span<const int> cannot cross a process boundary \(view of elements that stay behind: use std::vector\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <span>
#include <vector>

struct Lookup {
#ifdef TWIN
    std::vector<int> table;
#else
    std::span<const int> table;
#endif
    int operator()(int at) const { return at; }
};

int main() {
    multiprocessing::Pool pool;
    pool.apply(Lookup{{}}, 1);
}
