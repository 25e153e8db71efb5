// SPDX-License-Identifier: BSL-1.0
// Python has no such function; there each task catches for itself, and nothing helps against a crash:
//     def try_invert(x):
//         try: return invert(x)
//         except Exception as error: return error
//
//     with Pool(2) as pool:
//         for outcome in pool.map(try_invert, [4, 0, -1, 8]): print(outcome)

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace mp = multiprocessing;

double invert(int x) {
    if (x == 0) throw std::domain_error("nothing is the inverse of 0");
    if (x < 0) std::abort(); // a bug in a library that we have to use, say
    return 1. / x;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    // For each item what came of it. The crash costs its item alone, although two items share a chunk.
    for (const mp::Outcome<double>& outcome : pool.try_map(invert, {4, 0, -1, 8}, {.chunksize = 2})) {
        if (outcome) {
            std::cout << *outcome << '\n';
            continue;
        }
        try {
            std::rethrow_exception(outcome.error());
        } catch (const std::domain_error& error) {
            std::cout << "error: " << error.what() << '\n';
        } catch (const mp::WorkerLostError& error) {
            std::cout << "lost: item " << error.task_index().value_or(0) << '\n';
            std::cerr << error.what() << '\n'; // who died how, and where
        }
    }
}

// Output:
// 0.25
// error: nothing is the inverse of 0
// lost: item 2
// 0.125
