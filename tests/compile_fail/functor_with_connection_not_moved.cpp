// error: the function object holds a Connection, which belongs to one process: hand it over with std::move
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>

#include <utility>

struct Answer {
    multiprocessing::Connection connection;
    void operator()() { connection.send(1); }
};

int main() {
    Answer answer{multiprocessing::Pipe().first};
#ifdef TWIN
    multiprocessing::Process p(std::move(answer));
#else
    multiprocessing::Process p(answer);
#endif
}
