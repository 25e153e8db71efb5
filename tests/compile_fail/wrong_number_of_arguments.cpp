// error: the function does not take this number of arguments \(defaults are unknown to a pointer\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

#include <string>

void work(int, std::string) {}

int main() {
#ifdef TWIN
    multiprocessing::Process p(work, 1, "text");
#else
    multiprocessing::Process p(work, 1);
#endif
}
