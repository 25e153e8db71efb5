// SPDX-License-Identifier: BSL-1.0
// A framework with a main() of its own; it does not know the library.
#include <cstdio>

int run_tests();

int main() {
    std::puts("framework begins"); // once, not again in each child
    std::fflush(stdout);
    return run_tests();
}
