// SPDX-License-Identifier: BSL-1.0
// Python:
//     def deposit(lock, balance, amount):
//         with lock: balance.value += amount
//     def transfer(lock, a, b, amount):
//         with lock:                          # an RLock may be taken again by who holds it
//             deposit(lock, a, -amount)
//             deposit(lock, b, amount)
//
//     seats = Semaphore(2)                    # at most two at a time
//     def visit(seats, inside, most):
//         with seats: ...

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

using Balance = mp::RawValue<int>; // an int in shared memory

void deposit(mp::RLock lock, Balance balance, int amount) {
    std::scoped_lock guard{lock};
    balance.value() += amount;
}

void transfer(mp::RLock lock, Balance a, Balance b, int amount) {
    std::scoped_lock guard{lock};
    deposit(lock, a, -amount);
    deposit(lock, b, amount);
}

void visit(mp::Semaphore seats, mp::Value<int> inside, mp::Value<int> most) {
    std::scoped_lock seat{seats};
    const int here = inside += 1; // under the value's own lock, and tells what it has become
    most.update([&](int& m) { m = std::max(m, here); });
    std::this_thread::sleep_for(10ms);
    inside -= 1;
}

int main() {
    mp::freeze_support();

    mp::RLock lock;
    Balance mine{100}, yours{0};
    mp::Semaphore seats{2};
    mp::Value<int> inside{0}, most{0};
    std::vector<mp::Process> children;
    for (int i = 0; i < 3; ++i) {
        children.emplace_back(transfer, lock, mine, yours, 10);
        children.emplace_back(visit, seats, inside, most);
    }
    for (mp::Process& p : children) p.start();
    for (mp::Process& p : children) p.join();
    std::cout << "mine " << mine.value() << ", yours " << yours.value() << '\n';
    std::cout << (most.value() <= 2 ? "never more than two" : "too many") << '\n';
}

// Output:
// mine 70, yours 30
// never more than two
