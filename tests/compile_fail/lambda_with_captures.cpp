// error: lambda.* cannot cross a process boundary \(lambda with captures \(or a capture-default \[&\]/\[=\]\): captures cannot be inspected; pass them as arguments, fix them by multiprocessing::partial\(function, values...\), or write a struct with operator\(\) that has them as members\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

int main() {
#ifdef TWIN
    const auto function = [](int number, int factor) { return number * factor; };
#else
    const int factor = 3;
    const auto function = [factor](int number) { return number * factor; };
#endif
    multiprocessing::dumps(function);
}
