// SPDX-License-Identifier: BSL-1.0
// Python has no limit for a task: a pool waits for one that hangs, and cannot end it. By pebble:
//     with ProcessPool(2) as pool:
//         for item in [10, 60_000, 20]:
//             futures.append(pool.schedule(work, [item], timeout=2))        # the worker is killed beyond
//         futures[0].cancel()

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int work(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds});
    return milliseconds;
}

void hang(const mp::Event& has_begun) {
    has_begun.set();
    std::this_thread::sleep_for(1h);
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    // Each item may take 2 s, counted from when it begins. The one that hangs is ended, with its worker, and costs
    // nobody else anything.
    for (const mp::Outcome<int>& outcome : pool.try_map(work, {10, 60'000, 20}, {.timeout = 2s})) {
        try {
            std::cout << outcome.value() << " ms\n";
        } catch (const mp::TimeLimitExceeded& error) {
            std::cout << "item " << error.task_index().value_or(0) << " took too long\n";
        }
    }

    // A single call, with a limit of its own; and one that the program itself takes back while it runs.
    try {
        pool.apply_async(mp::TaskOptions{.timeout = 100ms}, work, 60'000).get();
    } catch (const mp::TimeoutError&) { std::cout << "so did a call\n"; }
    const mp::Event has_begun;
    mp::AsyncResult<void> result = pool.apply_async(hang, has_begun);
    has_begun.wait();
    std::cout << std::boolalpha << "cancelled before it began: " << result.cancel()
              << ", ended: " << result.kill() << '\n';
    std::cout << pool.apply(work, 5) << " ms\n"; // both workers have been replaced
}

// Output:
// 10 ms
// item 1 took too long
// 20 ms
// so did a call
// cancelled before it began: false, ended: true
// 5 ms
