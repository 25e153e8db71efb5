// SPDX-License-Identifier: BSL-1.0
// Python:
//     def produce(condition, count):
//         for _ in range(3):
//             with condition:
//                 count.value += 1
//                 condition.notify()
//
//     ready = Event()
//     ready.wait(timeout=60)
//     with condition:
//         condition.wait_for(lambda: count.value == 3)

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <mutex>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void produce(mp::Event ready, mp::Condition condition, mp::RawValue<int> count) {
    ready.set(); // lets go on all who wait for it, now and later
    for (int i = 0; i < 3; ++i) {
        std::scoped_lock guard{condition};
        count.value() += 1;
        condition.notify();
    }
}

int main() {
    mp::freeze_support();

    mp::Event ready;
    mp::Condition condition;
    mp::RawValue<int> count; // 0; used only with the condition's lock held
    mp::Process producer(produce, ready, condition, count);
    producer.start();

    std::cout << (ready.wait(60s) ? "the producer is there" : "nobody came") << '\n';
    {
        std::scoped_lock guard{condition};
        condition.wait_for([&] { return count.value() == 3; }); // gives up the lock while it waits
        std::cout << count.value() << " items\n";
    }
    producer.join();
}

// Output:
// the producer is there
// 3 items
