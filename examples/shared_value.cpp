// SPDX-License-Identifier: BSL-1.0
// Python:
//     def count(hits, position):
//         for _ in range(1000):
//             with hits.get_lock(): hits.value += 1      # `hits.value += 1` alone is not atomic
//         with position.get_lock():
//             position.x += 0.5
//
//     hits = Value("i", 0)
//     position = Value(Point, 1.0, 2.0)

#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <iostream>
#include <vector>

namespace mp = multiprocessing;

struct Point { // any trivially copyable type without pointers
    double x, y;
};

void count(mp::Value<int> hits, mp::RawValue<std::atomic<long>> steps, mp::Value<Point> position) {
    for (int i = 0; i < 1000; ++i) {
        hits += 1;                  // atomic, under the value's lock
        steps.value().fetch_add(1); // without a lock, by the processor
    }
    position.update([](Point& p) { p.x += 0.5; }); // any change, under the lock
}

int main() {
    mp::freeze_support();

    mp::Value<int> hits{0};
    mp::RawValue<std::atomic<long>> steps{0};
    mp::Value<Point> position(Point{1.0, 2.0});
    std::vector<mp::Process> children;
    for (int i = 0; i < 4; ++i) children.emplace_back(count, hits, steps, position);
    for (mp::Process& p : children) p.start();
    for (mp::Process& p : children) p.join();
    std::cout << hits.value() << " hits, " << steps.value() << " steps\n";
    const Point at = position.copy();
    std::cout << "at " << at.x << ", " << at.y << '\n';
}

// Output:
// 4000 hits, 4000 steps
// at 3, 2
