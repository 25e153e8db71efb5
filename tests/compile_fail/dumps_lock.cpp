// error: field 0 'guard' of Account: multiprocessing::Lock cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/synchronize.hpp>

#ifdef TWIN
using Guard = int;
#else
using Guard = multiprocessing::Lock;
#endif
struct Account {
    Guard guard;
    int balance = 0;
};

int main() { multiprocessing::dumps(Account{}); }
