// error: element of std::vector<Flags>: Flags cannot cross a process boundary \(aggregate with a bit-field:
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <vector>

struct Flags {
#ifdef TWIN
    unsigned char low, high;
#else
    unsigned char low : 4, high : 4;
#endif
};

int main() { multiprocessing::dumps(std::vector<Flags>{}); }
