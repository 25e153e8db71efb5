// error: element 1 of std::pair<int, int&>: int& cannot cross a process boundary \(reference: the object stays behind;
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <utility>

#ifdef TWIN
using Argument = std::pair<int, int>;
#else
using Argument = std::pair<int, int&>;
#endif

// As the library itself asks for arguments.
template <class T>
void pass() {
    using namespace multiprocessing::detail;
    if constexpr (!can_cross<T, Crossing::spawning>()) require_crossing<T, Crossing::spawning>();
}

int main() { pass<Argument>(); }
