// SPDX-License-Identifier: BSL-1.0
// Python:
//     def report(lock, name):
//         with lock:
//             print("hello from", name)
//             print("goodbye from", name)
//
//     lock = Lock()
//     children = [Process(target=report, args=(lock, f"child {i}")) for i in range(3)]
//     for p in children: p.start()
//     for p in children: p.join()
//
// What Python cannot do: a lock whose holder dies goes to the next taker, who is told.

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

namespace mp = multiprocessing;

// A handle is copied freely: every copy is the same lock. std::scoped_lock is Python's `with lock:`.
void report(mp::Lock lock, std::string name) {
    std::scoped_lock guard{lock};
    std::cout << "hello from " << name << '\n';
    std::cout << "goodbye from " << name << '\n' << std::flush;
}

void die_with(mp::Lock lock) {
    lock.acquire();
    std::_Exit(1); // as a crash would: nothing is released
}

int main() {
    mp::freeze_support();

    mp::Lock lock;
    std::vector<mp::Process> children;
    for (int i = 0; i < 3; ++i) children.emplace_back(report, lock, "child " + std::to_string(i));
    for (mp::Process& p : children) p.start();
    for (mp::Process& p : children) p.join();

    mp::Process last(die_with, lock);
    last.start();
    last.join();
    lock.acquire(); // does not hang
    if (lock.recovered()) std::cout << "its last holder died with it\n";
    lock.release();
}

// Output:
// hello from child ...
// goodbye from child ...
// hello from child ...
// goodbye from child ...
// hello from child ...
// goodbye from child ...
// its last holder died with it
