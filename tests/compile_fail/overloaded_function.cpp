// error: unresolved overloaded function type.*couldn.t deduce template parameter .Function
// error of Clang: no matching constructor.*couldn't infer template argument 'Function'
// lines of GNU: 23
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

void work(int) {}
void work(double) {}

int main() {
#ifdef TWIN
    multiprocessing::Process p(static_cast<void (*)(int)>(work), 1);
#else
    multiprocessing::Process p(work, 1);
#endif
}
