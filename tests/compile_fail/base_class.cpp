// error: Derived cannot cross a process boundary \(aggregate with a base class: give it template <class Archive> void serialize
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

struct Base {
    int number;
};
#ifdef TWIN
struct Derived {
    Base base;
#else
struct Derived : Base {
#endif
    int more;
};

int main() { multiprocessing::dumps(Derived{}); }
