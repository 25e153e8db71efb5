// error: int ?\* cannot cross a process boundary \(raw pointer: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#ifdef TWIN
int make() { return 1; }
#else
int* make() { return new int(1); }
#endif

int main() {
    multiprocessing::Pool pool;
    pool.apply(make);
}
