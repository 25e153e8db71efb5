// SPDX-License-Identifier: BSL-1.0
// Python has none: what was submitted first runs first. With two pools, or a PriorityQueue and processes of one's own:
//     background, urgent = Pool(1), Pool(1)               # and each stands idle while the other has work

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <string>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int chore(int number) {
    std::this_thread::sleep_for(2ms);
    return number;
}

std::string answer(const std::string& question) { return question + "? yes"; }

int main() {
    mp::freeze_support();

    mp::Pool pool(1);
    // A second of work that nobody waits for: its worker looks for something higher between two chunks.
    auto chores =
        pool.map_async(chore, std::views::iota(0, 500), {.chunksize = 5, .priority = mp::Priority::low});

    const mp::TaskOptions urgent{.priority = mp::Priority::high};
    std::cout << pool.apply_async(urgent, answer, "soon").get() << '\n';
    std::cout << std::boolalpha << "chores done by then: " << chores.ready() << '\n';
    std::cout << "chores in the end: " << chores.get().size() << '\n';
}

// Output:
// soon? yes
// chores done by then: false
// chores in the end: 500
