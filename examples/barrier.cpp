// SPDX-License-Identifier: BSL-1.0
// Python:
//     def run(barrier, cells, i):
//         for step in range(3):
//             cells[i] += i                   # each its own part,
//             barrier.wait()                  # then all wait for all
//
//     barrier = Barrier(3, action=lambda: print("a step is done"))
//     ...
//     Barrier(2).wait(timeout=0.01)           # BrokenBarrierError: nobody else came

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void run(mp::Barrier barrier, mp::Array<std::size_t> cells, std::size_t i) {
    for (int step = 0; step < 3; ++step) {
        cells[i] += i;
        barrier.wait();
    }
}

int main() {
    mp::freeze_support();

    // The last to come runs the action, before any goes on.
    mp::Barrier barrier{3, [] { std::cout << "a step is done\n" << std::flush; }};
    mp::Array<std::size_t> cells(3);
    std::vector<mp::Process> children;
    for (std::size_t i = 0; i < 3; ++i) children.emplace_back(run, barrier, cells, i);
    for (mp::Process& p : children) p.start();
    for (mp::Process& p : children) p.join();
    for (const std::size_t cell : cells) std::cout << cell << ' ';
    std::cout << '\n';

    try {
        mp::Barrier{2}.wait(10ms);
    } catch (const mp::BrokenBarrierError&) { std::cout << "nobody else came\n"; }
}

// Output:
// a step is done
// a step is done
// a step is done
// 0 3 6
// nobody else came
