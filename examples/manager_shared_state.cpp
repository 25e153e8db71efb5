// SPDX-License-Identifier: BSL-1.0
// Python:
//     def visit(visits, lock, page):
//         with lock:                                     # without it, visits are lost
//             visits[page] = visits.get(page, 0) + 1
//
//     with Manager() as manager:
//         visits, lock = manager.dict(), manager.Lock()
//         with Pool(4) as pool:
//             pool.starmap(visit, [(visits, lock, page) for page in pages])

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <mutex>
#include <string>
#include <vector>

namespace mp = multiprocessing;

using Visits = mp::managers::DictProxy<std::string, int>;

void serve(Visits visits, mp::managers::LockProxy lock, mp::managers::QueueProxy<std::string> pages) {
    while (auto page = pages.try_get()) {
        // No lock needed: the change is one step in the server.
        visits.update_with(*page, 0, [](int& count) { ++count; });
        const std::scoped_lock guard{lock}; // for what takes several steps
        const int total = visits.get("total", 0);
        visits["total"] = total + 1;
    }
}

int main() {
    mp::freeze_support();

    auto manager = mp::Manager();
    auto visits = manager.dict<std::string, int>();
    auto lock = manager.Lock();
    auto pages = manager.Queue<std::string>();
    for (int i = 0; i < 30; ++i) pages.put(i % 3 == 0 ? "/" : "/news");
    std::vector<mp::Process> servers;
    for (int i = 0; i < 3; ++i) servers.emplace_back(serve, visits, lock, pages);
    for (mp::Process& p : servers) p.start();
    for (mp::Process& p : servers) p.join();
    for (const auto& [page, count] : visits.copy()) std::cout << page << ": " << count << '\n';
}

// Output:
// /: 10
// /news: 20
// total: 30
