// error: lambda.* cannot cross a process boundary \(lambda with captures .*: captures cannot be inspected; pass them as arguments, fix them by multiprocessing::partial\(function, values...\), or write a struct with operator\(\) that has them as members\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

int main() {
#ifdef TWIN
    multiprocessing::Process p([](int factor) { return 2 * factor; }, 3);
#else
    const int factor = 3;
    multiprocessing::Process p([&] { return 2 * factor; });
#endif
}
