// SPDX-License-Identifier: BSL-1.0
// Python:
//     answer = 0
//     def show(method): print(f"{method}: the answer is {answer}")
//
//     if __name__ == "__main__":
//         answer = 42
//         for method in get_all_start_methods():
//             ctx = get_context(method)
//             p = ctx.Process(target=show, args=(method,))
//             p.start(); p.join()

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

int answer = 0;

void show(const std::string& method) { std::cout << method << ": the answer is " << answer << '\n'; }

int main() {
    mp::freeze_support();

    answer = 42;
    for (const mp::StartMethod method : mp::get_all_start_methods()) {
        // Only fork copies the memory of this process. By spawn and forkserver the child is the program started anew:
        // what it is to know goes in as an argument. Written so, a program does the same by every method and on
        // every platform.
        const mp::Context ctx = mp::get_context(method);
        mp::Process p = ctx.Process(show, std::string(to_string(method)));
        p.start();
        p.join();
    }
}

// Output:
// forkserver: the answer is 0
// fork: the answer is 42
// spawn: the answer is 0
//
// Output on Windows:
// spawn: the answer is 0
