// error: what partial\(\) fixes is passed to every call, as const
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/partial.hpp>

#ifdef TWIN
void count(const int& total, int x) { static_cast<void>(total + x); }
#else
void count(int& total, int x) { total += x; }
#endif

int main() { static_cast<void>(multiprocessing::partial(count, 0)); }
