// error: field 2 'at' of Job: element of std::vector<Where>: field 1 'file' of Where: const char\* cannot cross a process boundary \(C string pointer: use std::string\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <string>
#include <vector>

struct Where {
    int line;
#ifdef TWIN
    std::string file;
#else
    const char* file;
#endif
};
struct Job {
    int id;
    std::string name;
    std::vector<Where> at;
};

int main() { multiprocessing::dumps(Job{}); }
