// error: the function takes 2 arguments \(int, std::string\), and is called with 1 argument \(int\): give all of them, as defaults are unknown here
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
