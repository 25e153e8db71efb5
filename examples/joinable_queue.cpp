// SPDX-License-Identifier: BSL-1.0
// Python:
//     def work(jobs, total):
//         while True:
//             n = jobs.get()
//             with total.get_lock():
//                 total.value += n
//             jobs.task_done()
//
//     jobs = JoinableQueue()
//     for _ in range(2):
//         Process(target=work, args=(jobs, total), daemon=True).start()
//     for n in range(1, 101):
//         jobs.put(n)
//     jobs.join()

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <vector>

namespace mp = multiprocessing;

void work(mp::JoinableQueue<int> jobs, mp::Value<int> total) {
    for (;;) {
        total += jobs.get();
        jobs.task_done();
    }
}

int main() {
    mp::freeze_support();

    mp::JoinableQueue<int> jobs;
    mp::Value<int> total{0};
    std::vector<mp::Process> workers;
    for (int i = 0; i < 2; ++i) workers.emplace_back(mp::ProcessOptions{.daemon = true}, work, jobs, total);
    for (mp::Process& worker : workers) worker.start();

    for (int n = 1; n <= 100; ++n) jobs.put(n);
    jobs.join(); // until task_done() was said of each
    std::cout << total.value() << '\n';
} // the workers are daemonic: they are terminated

// Output:
// 5050
