// SPDX-License-Identifier: BSL-1.0
// Python:
//     def succeed(): print("this is", current_process().name)
//     def leave():   sys.exit(3)
//     def fail():    raise ValueError("no such colour")
//     def wait():    time.sleep(3600)
//
//     p = Process(target=succeed, name="painter")
//     p.start(); p.join()
//     print(p.name, p.exitcode)                       # 0; leave: 3; fail: 1; wait, terminated: -15

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void succeed() { std::cout << "this is " << mp::current_process().name() << '\n'; }
void leave() { std::exit(3); }
void fail() { throw std::invalid_argument("no such colour"); } // printed whole on standard error
void wait() { std::this_thread::sleep_for(1h); }

void report(mp::Process& p) {
    p.join();
    std::cout << p.name() << " ended with " << p.exitcode().value() << '\n';
}

int main() {
    mp::freeze_support();

    mp::Process painter({.name = "painter"}, succeed);
    mp::Process leaver({.name = "leaver"}, leave);
    mp::Process failer({.name = "failer"}, fail);
    for (mp::Process* p : {&painter, &leaver, &failer}) {
        p->start();
        report(*p);
    }

    mp::Process waiter({.name = "waiter"}, wait);
    waiter.start();
    std::cout << waiter.name() << " is " << (waiter.is_alive() ? "alive" : "dead") << '\n';
    waiter.terminate(); // SIGTERM; its exit code is the signal's number, negative
    report(waiter);
}

// Output:
// this is painter
// painter ended with 0
// leaver ended with 3
// failer ended with 1
// waiter is alive
// waiter ended with -15
