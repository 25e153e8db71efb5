// SPDX-License-Identifier: BSL-1.0
// Python:
//     with SharedMemoryManager() as smm:
//         sl = smm.ShareableList(range(2000))
//         p1 = Process(target=do_work, args=(sl, 0, 1000))
//         p2 = Process(target=do_work, args=(sl, 1000, 2000))
//         p1.start(); p2.start(); p1.join(); p2.join()
//         total_result = sum(sl)

#include <multiprocessing/multiprocessing.hpp>

#include <cstddef>
#include <iostream>
#include <string>
#include <system_error>

namespace mp = multiprocessing;

void double_some(mp::shared_memory::SharedMemory block, std::size_t begin, std::size_t end) {
    const auto numbers = block.as<int>();
    for (std::size_t i = begin; i < end; ++i) numbers[i] = 2 * static_cast<int>(i);
}

int main() {
    mp::freeze_support();

    std::string name;
    {
        mp::managers::SharedMemoryManager smm;
        smm.start();
        auto block = smm.SharedMemory(2000 * sizeof(int));
        name = block.name();
        mp::Process p1(double_some, block, 0, 1000);
        mp::Process p2(double_some, block, 1000, 2000);
        p1.start();
        p2.start();
        p1.join();
        p2.join();
        long sum = 0;
        for (const int number : block.as<int>().first(2000)) sum += number;
        std::cout << sum << '\n';
        block.close();
    } // unlinked, as all that the manager made
    try {
        mp::shared_memory::SharedMemory({.name = name});
    } catch (const std::system_error&) { std::cout << "the block is gone\n"; }
}

// Output:
// 3998000
// the block is gone
