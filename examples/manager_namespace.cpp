// SPDX-License-Identifier: BSL-1.0
// Python:
//     def work(ns):
//         ns.x += 1
//         ns.y = "set by the child"
//
//     manager = Manager()
//     ns = manager.Namespace()
//     ns.x = 10
//     p = Process(target=work, args=(ns,))
//     p.start(); p.join()
//     print(ns.x, ns.y)

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

void work(mp::managers::NamespaceProxy ns) {
    ns.update_with<int>("x", [](int& x) { x += 1; }); // one step in the server
    ns.set("y", "set by the child");
}

int main() {
    mp::freeze_support();

    auto manager = mp::Manager();
    auto ns = manager.Namespace();
    ns.set("x", 10);
    mp::Process p(work, ns);
    p.start();
    p.join();
    std::cout << ns.get<int>("x") << ", " << ns.get<std::string>("y") << '\n';
    try {
        ns.get<double>("x");
    } catch (const mp::SerializationError&) { std::cout << "x is no double\n"; }
}

// Output:
// 11, set by the child
// x is no double
