// SPDX-License-Identifier: BSL-1.0
// Python:
//     pool = Pool(4) if not DEBUG else multiprocessing.dummy.Pool(1)         # in a thread, still; joblib: n_jobs=1

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <vector>

namespace mp = multiprocessing;

int square(int x) { return x * x; } // a breakpoint here is reached in the program itself

int own_pid() { return mp::current_process().pid(); }

int main() {
    mp::freeze_support();

    // No processes: tasks run in the caller. MULTIPROCESSING_INLINE=1 in the environment does that for all pools of a
    // program, without a change of it.
    mp::Pool pool({.run_inline = true});
    for (const int y : pool.map(square, {1, 2, 3})) std::cout << y << ' ';
    std::cout << '\n' << std::boolalpha << (pool.apply(own_pid) == own_pid()) << '\n';
}

// Output:
// 1 4 9
// true
