// SPDX-License-Identifier: BSL-1.0
// Python, where it takes one sentinel for each consumer:
//     def consume(jobs, results):
//         for job in iter(jobs.get, None):
//             results.put(job * job)
//
//     for n in range(100):
//         jobs.put(n)
//     for _ in workers:
//         jobs.put(None)

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void consume(mp::Queue<int> jobs, mp::Queue<long> results) {
    for (int job : jobs) results.put(long{job} * job); // until the queue is shut down and empty
}

int main() {
    mp::freeze_support();

    mp::Queue<int> jobs;
    mp::Queue<long> results;
    std::vector<mp::Process> workers;
    for (int i = 0; i < 2; ++i) workers.emplace_back(consume, jobs, results);
    for (mp::Process& worker : workers) worker.start();

    for (int n = 0; n < 100; ++n) jobs.put(n);
    jobs.shutdown(); // for all who use it: no more comes

    for (mp::Process& worker : workers) worker.join();
    results.shutdown(); // all who put are gone
    long sum = 0;
    for (long result : results) sum += result;
    std::cout << sum << '\n';

    // A producer that is killed shuts nothing down. A consumer that must not wait forever gives a timeout, and
    // looks whether the producers are alive.
    mp::Queue<int> silent;
    mp::Process killed([](mp::Queue<int> q) { q.get(); }, silent);
    killed.start();
    killed.kill();
    killed.join();
    try {
        silent.get(10ms);
    } catch (const mp::Empty&) {
        std::cout << "nothing came, and the producer is " << (killed.is_alive() ? "alive" : "gone") << '\n';
    }
}

// Output:
// 328350
// nothing came, and the producer is gone
