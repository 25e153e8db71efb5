// SPDX-License-Identifier: BSL-1.0
// Python:
//     def divide(a, b):
//         if b == 0: os.abort()
//         return a // b
//
//     with Pool(2) as pool:                            # a Pool of Python's would wait forever;
//         ...                                          # concurrent.futures would give up all other tasks

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <iostream>
#include <vector>

namespace mp = multiprocessing;

int divide(int a, int b) {
    if (b == 0) std::abort(); // as a segmentation fault or the kernel's out-of-memory killer would do
    return a / b;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    std::vector<mp::AsyncResult<int>> results;
    for (int b = -2; b <= 2; ++b) results.push_back(pool.apply_async(divide, 12, b));

    // The crash costs its own task, and nothing else: another worker has taken the place of the one that died.
    for (const auto& result : results) {
        try {
            std::cout << result.get() << '\n';
        } catch (const mp::WorkerLostError& error) {
            std::cout << "lost, exit code " << error.exitcode().value_or(0) << '\n';
            std::cerr << error.what() << '\n'; // says who died how, and where
        }
    }
}

// Output:
// -6
// -12
// lost, exit code ...
// 12
// 6
