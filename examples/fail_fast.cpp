// SPDX-License-Identifier: BSL-1.0
// Python:
//     with ProcessPoolExecutor(2) as executor:
//         futures = [executor.submit(check, n) for n in range(1000)]
//         done, rest = wait(futures, return_when=FIRST_EXCEPTION)
//         for future in rest: future.cancel()                    # those that run go on nevertheless

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int check(int number) {
    if (number == 0) std::this_thread::sleep_for(1h); // a long one, which nobody wants if another has failed
    if (number == 10) throw std::invalid_argument("number 10 is wrong");
    std::this_thread::sleep_for(20ms);
    return number;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2);
    try {
        pool.map(check, std::views::iota(0, 1000), {.chunksize = 1, .fail_fast = true});
    } catch (const std::invalid_argument& error) { std::cout << error.what() << '\n'; }

    // With try_map what was finished by then is kept.
    int done = 0;
    int cancelled = 0;
    for (const auto& outcome :
         pool.try_map(check, std::views::iota(1, 1000), {.chunksize = 1, .fail_fast = true})) {
        try {
            outcome.value();
            ++done;
        } catch (const mp::CancelledError&) { ++cancelled; } catch (const std::invalid_argument&) {
            std::cout << "again\n";
        }
    }
    std::cout << std::boolalpha << (done < 100) << ' ' << (cancelled > 900) << '\n';
}

// Output:
// number 10 is wrong
// again
// true true
