// error: field 1 of Job: const std::string cannot cross a process boundary \(const, or a reference to const: .*\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <string>

struct Job {
    double weights[3];
#ifdef TWIN
    std::string name;
#else
    const std::string& name;
#endif
    int id;
};

void send(const Job& job) { multiprocessing::dumps(job); }
int main() {}
