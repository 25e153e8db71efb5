// error: field 1 'guard' of Counter: std::mutex cannot cross a process boundary \(neither copyable nor movable, .*multiprocessing::Lock\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <mutex>

struct Counter {
    int number = 0;
#ifndef TWIN
    std::mutex guard;
#endif
};

int main() { multiprocessing::dumps(Counter{}); }
