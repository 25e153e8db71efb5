// error: multiprocessing::.*Lock cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>
#include <multiprocessing/synchronize.hpp>

int main() {
    auto [a, b] = multiprocessing::Pipe();
#ifdef TWIN
    a.send(1);
#else
    a.send(multiprocessing::Lock{});
#endif
}
