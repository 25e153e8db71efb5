// error: this holds a Connection, which belongs to one process: send it by std::move
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>

struct Job {
    std::vector<multiprocessing::Connection> ends;
};

int main() {
    auto [a, b] = multiprocessing::Pipe();
    Job job;
#ifdef TWIN
    a.send(std::move(job));
#else
    a.send(job);
#endif
}
