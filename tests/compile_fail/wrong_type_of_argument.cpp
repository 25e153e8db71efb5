// error: the function cannot be called with arguments of these types \(F and Argument, above\), which reach it as values
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
