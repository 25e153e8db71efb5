// error: value of std::map<std::string, std::pair<int, Job\*>>: element 1 of std::pair<int, Job\*>: Job\* cannot cross a process boundary \(raw pointer: .*std::unique_ptr or std::shared_ptr\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>

struct Job {
    int id;
};
#ifdef TWIN
using Pointer = std::shared_ptr<Job>;
#else
using Pointer = Job*;
#endif

int main() { multiprocessing::dumps(std::map<std::string, std::pair<int, Pointer>>{}); }
