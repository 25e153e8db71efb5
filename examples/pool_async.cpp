// SPDX-License-Identifier: BSL-1.0
// Python:
//     with Pool(2) as pool:
//         answer = pool.apply_async(think, ("life",))
//         squares = pool.map_async(square, [1, 2, 3])
//         print("both are under way")
//         print(answer.get(timeout=60), squares.get())
//
//         forever = pool.apply_async(time.sleep, (3600,))
//         try:
//             forever.get(timeout=0.01)
//         except TimeoutError:
//             print("not there in time")
//         pool.terminate()

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

std::string think(const std::string& about) { return "42 is the answer to " + about; }
int square(int x) { return x * x; }

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    const mp::AsyncResult<std::string> answer = pool.apply_async(think, "life");
    const mp::AsyncResult<std::vector<int>> squares = pool.map_async(square, {1, 2, 3});
    std::cout << "both are under way\n";
    std::cout << answer.get(60s) << '\n';
    for (const int number : squares.get()) std::cout << number << ' ';
    std::cout << '\n';

    const auto forever = pool.apply_async([] { std::this_thread::sleep_for(1h); });
    try {
        forever.get(10ms);
    } catch (const mp::TimeoutError&) { std::cout << "not there in time\n"; }
    pool.terminate(); // else the end of the scope would do it, and log that work was given up
    pool.join();
}

// Output:
// both are under way
// 42 is the answer to life
// 1 4 9
// not there in time
