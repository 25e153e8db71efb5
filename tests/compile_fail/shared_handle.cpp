// error: field 0 'locks' of Holder: element of std::vector<std::pair<int, Lock>>: element 1 of std::pair<int, Lock>: Lock cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <utility>
#include <vector>

#ifdef TWIN
struct Lock {};
#else
struct Lock {
    using multiprocessing_handle = void;
};
#endif
struct Holder {
    std::vector<std::pair<int, Lock>> locks;
};

int main() { multiprocessing::dumps(Holder{}); }
