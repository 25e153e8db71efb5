// SPDX-License-Identifier: BSL-1.0
// Python:
//     with Pool(2) as pool:
//         for number in (16, 25, -1):
//             pool.apply_async(root, (number,), callback=add, error_callback=print)
//         pool.close()
//         pool.join()
//         print("sum of the roots:", total)

#include <multiprocessing/multiprocessing.hpp>

#include <cmath>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

namespace mp = multiprocessing;

double root(double number) {
    if (number < 0) throw std::domain_error(std::to_string(static_cast<int>(number)) + " has no root");
    return std::sqrt(number);
}

void print_error(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::domain_error& no_root) { std::cout << no_root.what() << '\n'; }
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    double total = 0;
    for (const double number : {16., 25., -1.}) {
        // Callbacks run in this process, one at a time, in a thread of the pool. They may submit more work.
        pool.apply_async(root, number).then([&](double result) { total += result; }, print_error);
    }
    pool.close();
    pool.join(); // returns when the callbacks, too, have run
    std::cout << "sum of the roots: " << total << '\n';
}

// Output:
// -1 has no root
// sum of the roots: 9
