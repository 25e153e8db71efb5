// error: multiprocessing::Value<int> cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

#ifdef TWIN
using Result = multiprocessing::shared_vector<int>; // which its caller owns, then
#else
using Result = multiprocessing::Value<int>;
#endif

Result make() { return Result{}; }

int main() {
    multiprocessing::Pool pool;
    pool.apply(make);
}
