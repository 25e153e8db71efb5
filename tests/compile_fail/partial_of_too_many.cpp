// error: partial\(\) fixes more arguments than the function takes
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/partial.hpp>

int add(int a, int b) { return a + b; }

int main() {
#ifdef TWIN
    static_cast<void>(multiprocessing::partial(add, 1, 2));
#else
    static_cast<void>(multiprocessing::partial(add, 1, 2, 3));
#endif
}
