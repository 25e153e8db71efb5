// SPDX-License-Identifier: BSL-1.0
// Python:
//     a = manager.list()
//     b = manager.list()
//     a.append(b)                                        # a proxy in a managed list
//     b.append("hello")
//     print(a[0][0], b)

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

using Rooms = mp::managers::DictProxy<std::string, mp::managers::ListProxy<std::string>>;

void enter(Rooms rooms, std::string who) {
    rooms.at("hall").append(who); // the list itself, not a copy
}

int main() {
    mp::freeze_support();

    auto manager = mp::Manager();
    auto rooms = manager.dict<std::string, mp::managers::ListProxy<std::string>>();
    auto hall = manager.list<std::string>();
    rooms.set("hall", hall);
    for (const char* who : {"Ada", "Grace"}) {
        mp::Process p(enter, rooms, who);
        p.start();
        p.join();
    }
    rooms.clear(); // the list stays: there is a proxy of it here
    for (const std::string& who : hall) std::cout << who << '\n';
}

// Output:
// Ada
// Grace
