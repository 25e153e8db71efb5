// error: argument 1 is int and does not convert to std::string, which the function takes
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <string>

int length(std::string text) { return static_cast<int>(text.size()); }

int main() {
    multiprocessing::Pool pool;
#ifdef TWIN
    pool.apply(length, "text");
#else
    pool.apply(length, 12);
#endif
}
