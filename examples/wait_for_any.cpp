// SPDX-License-Identifier: BSL-1.0
// Python:
//     readers = []
//     for i in range(3):
//         r, w = Pipe(duplex=False)
//         readers.append(r)
//         Process(target=foo, args=(w, i)).start()
//         w.close()
//
//     while readers:
//         for r in wait(readers):
//             try:
//                 print(r.recv())
//             except EOFError:
//                 readers.remove(r)

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mp = multiprocessing;

void foo(mp::Connection w, int i) {
    for (int step = 0; step < 3; ++step) w.send(std::to_string(i) + "." + std::to_string(step));
}

int main() {
    mp::freeze_support();

    std::vector<mp::Connection> readers;
    std::vector<mp::Process> processes;
    for (int i = 0; i < 3; ++i) {
        auto [r, w] = mp::Pipe(/*duplex*/ false);
        readers.push_back(std::move(r));
        processes.emplace_back(foo, std::move(w), i);
        processes.back().start();
    }

    std::set<std::string> messages; // as they come, in whatever order
    while (!readers.empty()) {
        const auto ready = mp::connection::wait(readers);
        std::erase_if(readers, [&](mp::Connection& r) {
            if (std::find(ready.begin(), ready.end(), r) == ready.end()) return false;
            try {
                messages.insert(r.recv<std::string>());
                return false;
            } catch (const mp::EOFError&) { return true; }
        });
    }
    for (const std::string& message : messages) std::cout << message << ' ';

    // The end of a process is something to wait for, too.
    const auto ended = mp::connection::wait({processes[0].sentinel()});
    std::cout << (ended.at(0) == processes[0].sentinel() ? "\nall there\n" : "\n");
}

// Output:
// 0.0 0.1 0.2 1.0 1.1 1.2 2.0 2.1 2.2
// all there
