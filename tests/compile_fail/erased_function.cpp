// error: field 0 'callback' of Task: std::function<.*> cannot cross a process boundary \(its callable is known only at run time: use a function pointer
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <functional>

struct Task {
#ifdef TWIN
    void (*callback)(int);
#else
    std::function<void(int)> callback;
#endif
};

int main() { multiprocessing::dumps(Task{}); }
