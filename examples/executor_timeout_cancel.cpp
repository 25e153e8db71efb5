// SPDX-License-Identifier: BSL-1.0
// Python:
//     with ProcessPoolExecutor(1) as executor:
//         running = executor.submit(time.sleep, 3600)
//         waiting = executor.submit(square, 7)
//         try: running.result(timeout=0.1)
//         except TimeoutError: print("not there in time")
//         print(running.cancel(), waiting.cancel())
//         ...                                          # nothing ends what runs but the end of all workers

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void sleep_for_an_hour() { std::this_thread::sleep_for(1h); }
int square(int x) { return x * x; }

int main() {
    mp::freeze_support();

    mp::futures::ProcessPoolExecutor executor(1);
    const auto running = executor.submit(sleep_for_an_hour);
    while (!running.running()) std::this_thread::sleep_for(1ms); // its worker starts
    const auto waiting = executor.submit(square, 7);

    try {
        running.result(100ms);
    } catch (const mp::futures::TimeoutError&) { std::cout << "not there in time\n"; }

    std::cout << std::boolalpha;
    std::cout << "cancelled, the one that runs: " << running.cancel() << '\n'; // it is too late for that
    std::cout << "cancelled, the one that waits: " << waiting.cancel() << '\n';

    // A process can be ended: the worker of this call alone, and another one takes its place.
    std::cout << "killed: " << running.kill() << '\n';
    try {
        running.result();
    } catch (const mp::futures::CancelledError&) { std::cout << "it has no result\n"; }
    std::cout << executor.submit(square, 8).result() << '\n';
}

// Output:
// not there in time
// cancelled, the one that runs: false
// cancelled, the one that waits: true
// killed: true
// it has no result
// 64
