// SPDX-License-Identifier: BSL-1.0
// Python:
//     from multiprocessing import Process
//
//     def greet(name):
//         print("hello", name)
//
//     if __name__ == "__main__":
//         p = Process(target=greet, args=("bob",))
//         p.start()
//         p.join()

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

void greet(const std::string& name) { std::cout << "hello " << name << '\n'; }

int main() {
    mp::freeze_support(); // first in main: a new process may start as this program anew
    mp::Process p(greet, "bob");
    p.start();
    p.join();
}

// Output:
// hello bob
