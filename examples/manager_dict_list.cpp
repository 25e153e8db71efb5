// SPDX-License-Identifier: BSL-1.0
// Python:
//     def work(d, l):
//         d[1] = "1"
//         d["2"] = 2                                     # here keys and values have one type each
//         l.reverse()
//
//     with Manager() as manager:
//         d = manager.dict()
//         l = manager.list(range(10))
//         p = Process(target=work, args=(d, l))
//         p.start(); p.join()
//         print(d, l)

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = multiprocessing;

void work(mp::managers::DictProxy<std::string, int> d, mp::managers::ListProxy<int> l) {
    d["one"] = 1;
    d["calls"] += 1; // one step in the server: no update is lost (in Python it is two)
    l.reverse();
}

int main() {
    mp::freeze_support();

    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"calls", 0}});
    auto l = manager.list<int>({0, 1, 2, 3, 4});
    mp::Process a(work, d, l);
    mp::Process b(work, d, l);
    mp::Process c(work, d, l);
    for (mp::Process* p : {&a, &b, &c}) p->start();
    for (mp::Process* p : {&a, &b, &c}) p->join();

    for (const auto& [key, value] : d) std::cout << key << ": " << value << '\n';
    const std::vector<int> local = l.copy(); // Python: l[:]
    for (const int number : local) std::cout << number << ' ';
    std::cout << '\n';
}

// Output:
// calls: 3
// one: 1
// 4 3 2 1 0
