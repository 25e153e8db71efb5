// SPDX-License-Identifier: BSL-1.0
// Python:
//     class Countdown(Process):
//         def __init__(self, name, seconds):
//             super().__init__()
//             self.label, self.seconds = name, seconds
//         def run(self):
//             for second in range(self.seconds, 0, -1): print(self.label, second)
//
//     p = Countdown("lift-off in", 3)
//     p.start(); p.join()

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

// What Python does by deriving from Process, a function object does here. The child gets a copy of its members: any plain
// struct may cross, without a word about serialization.
struct Countdown {
    std::string label;
    int seconds;

    void operator()() const {
        for (int second = seconds; second > 0; --second) std::cout << label << ' ' << second << '\n';
    }
};

int main() {
    mp::freeze_support();

    mp::Process p(Countdown{.label = "lift-off in", .seconds = 3});
    p.start();
    p.join();
}

// Output:
// lift-off in 3
// lift-off in 2
// lift-off in 1
