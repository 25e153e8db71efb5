// SPDX-License-Identifier: BSL-1.0
// Python:
//     def initializer(): resource.setrlimit(resource.RLIMIT_AS, (limit, limit))     # of address space, not of memory,
//     with Pool(2, initializer) as pool: ...                                        # and for good

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

std::size_t fill(std::size_t mebibytes) {
    std::vector<char> memory;
    while (memory.size() < mebibytes << 20) memory.resize(memory.size() + (std::size_t{1} << 20), 'x');
    std::this_thread::sleep_for(std::chrono::milliseconds{mebibytes}); // and works with it
    return memory.size() >> 20;
}

int main() {
    mp::freeze_support();

    // What a worker and its children have for themselves counts, not what they share with the program.
    mp::Pool pool({.processes = 2, .memory_limit = std::size_t{200} << 20});
    for (const mp::Outcome<std::size_t>& outcome : pool.try_map(fill, std::vector<std::size_t>{10, 2000, 20})) {
        try {
            std::cout << outcome.value() << " MiB\n";
        } catch (const mp::MemoryLimitExceeded& error) {
            std::cout << "item " << error.task_index().value_or(0) << " wanted too much\n";
            std::cerr << error.what() << '\n'; // with the figures
        }
    }
}

// Output:
// 10 MiB
// item 1 wanted too much
// 20 MiB
