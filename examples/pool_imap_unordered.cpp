// SPDX-License-Identifier: BSL-1.0
// Python:
//     with Pool(3) as pool:
//         for name, seconds in pool.imap_unordered(cook, [("rice", 0.3), ("eggs", 0.1), ("tea", 0.2)]):
//             print(name, "is ready")

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

struct Dish {
    std::string name;
    double seconds;
};

Dish cook(const Dish& dish) {
    std::this_thread::sleep_for(std::chrono::duration<double>(dish.seconds));
    return dish;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(3);
    const std::vector<Dish> menu{{"rice", 0.3}, {"eggs", 0.1}, {"tea", 0.2}};
    // Each result as soon as it is there: nobody waits for the rice.
    for (const Dish& dish : pool.imap_unordered(cook, menu)) std::cout << dish.name << " is ready\n";
}

// Output, in any order:
// rice is ready
// eggs is ready
// tea is ready
