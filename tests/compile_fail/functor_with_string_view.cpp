// error: field 0 'table' of Lookup: std::string_view cannot cross a process boundary \(view of a string that stays behind: use std::string\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <string>
#include <string_view>

struct Lookup {
#ifdef TWIN
    std::string table;
#else
    std::string_view table;
#endif
    int operator()(int at) const { return at; }
};

int main() {
    multiprocessing::Pool pool;
    pool.apply(Lookup{{}}, 1);
}
