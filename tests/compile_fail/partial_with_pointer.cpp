// error: fixed argument of multiprocessing::Partial<.*: (const char\*\*|const char \*\*).* cannot cross a process boundary \(raw pointer
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/partial.hpp>
#include <multiprocessing/pool.hpp>

#include <vector>

#ifdef TWIN
using Names = int;
#else
using Names = const char**;
#endif
int count(Names, int x) { return x; }

int main() {
    multiprocessing::Pool pool(1);
    const Names names{};
    static_cast<void>(pool.map(multiprocessing::partial(count, names), std::vector<int>{1}));
}
