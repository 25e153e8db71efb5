// error: an argument holds a Connection, which belongs to one process: hand it over with std::move
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>

void work(multiprocessing::Connection) {}

int main() {
    auto [a, b] = multiprocessing::Pipe();
#ifdef TWIN
    multiprocessing::Process p(work, std::move(b));
#else
    multiprocessing::Process p(work, b);
#endif
}
