// error: field 0 of Lookup: std::vector<int> ?& cannot cross a process boundary \(reference: the object stays behind; hold the object itself
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <vector>

struct Lookup {
#ifdef TWIN
    std::vector<int> table;
#else
    std::vector<int>& table;
#endif
    int operator()(int at) const { return at; }
};

int main() {
    std::vector<int> table{1, 2};
    multiprocessing::Pool pool;
    pool.apply(Lookup{table}, 1);
}
