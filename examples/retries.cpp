// SPDX-License-Identifier: BSL-1.0
// Python has nothing for this: concurrent.futures gives up all calls when one worker crashes. By hand:
//     for attempt in range(3):
//         try: return executor.submit(convert, item).result()
//         except BrokenProcessPool: executor = ProcessPoolExecutor(2)

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

namespace mp = multiprocessing;

// A converter that crashes now and then.
std::string convert(int number) {
    const int attempt = mp::current_task().attempt();
    if (number == 3 && attempt < 3) std::abort();
    return std::to_string(number) + " at attempt " + std::to_string(attempt);
}

int main() {
    mp::freeze_support();

    // An item whose worker was lost, or ended for a limit, is tried again: after 0.1 s, 0.2 s, 0.4 s and so on, while the
    // others go on. What a function throws is no reason: it would throw it again.
    mp::Pool pool({.processes = 2, .retries = 2});
    for (const std::string& text : pool.map(convert, {1, 2, 3, 4})) std::cout << text << '\n';

    // When all attempts are used up, the last one's error counts.
    try {
        pool.apply_async(mp::TaskOptions{.retries = 1}, convert, 3).get();
    } catch (const mp::WorkerLostError& error) {
        std::cout << "given up after attempt " << error.attempt() << " of " << error.attempts() << '\n';
    }
}

// Output:
// 1 at attempt 1
// 2 at attempt 1
// 3 at attempt 3
// 4 at attempt 1
// given up after attempt 2 of 2
