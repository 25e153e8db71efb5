// error: std::function<void ?\(\)> cannot cross a process boundary \(its callable is known only at run time: use a function pointer, multiprocessing::partial\(function, values...\), or a struct with operator\(\) by its own type\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

#include <functional>

void work() {}

int main() {
#ifdef TWIN
    void (*const function)() = work;
#else
    const std::function<void()> function = work;
#endif
    multiprocessing::Process p(function);
}
