// SPDX-License-Identifier: BSL-1.0
// Python:
//     with Pool(1, maxtasksperchild=3) as pool: ...          # a guess; loky watches the memory of its workers as we do

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <set>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

// A library that leaks, and that we have to use.
int leaky(int) {
    static std::vector<std::vector<char>> never_freed;
    never_freed.emplace_back(std::size_t{40} << 20, 'x');
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    return mp::current_process().pid();
}

int main() {
    mp::freeze_support();

    // A worker that has more than 100 MiB when its task has ended makes room for a fresh one; no task is lost.
    mp::Pool pool({.processes = 1, .recycle_memory = std::size_t{100} << 20});
    std::vector<int> tasks(12); // 480 MiB in all
    const std::vector<int> pids = pool.map(leaky, tasks, {.chunksize = 1});
    std::cout << pids.size() << " tasks done, by several workers: " << std::boolalpha
              << (std::set<int>(pids.begin(), pids.end()).size() > 1) << '\n';
}

// Output:
// 12 tasks done, by several workers: true
