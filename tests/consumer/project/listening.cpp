// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/listener.hpp>

#include <cstdio>
#include <thread>

namespace mp = multiprocessing;

int main() {
    mp::connection::Listener listener({.authkey = "key"});
    std::thread client([&] { mp::connection::Client(listener.address(), {.authkey = "key"}).send(42); });
    mp::Connection connection = listener.accept();
    const bool right = connection.recv<int>() == 42;
    client.join();
    std::puts(right ? "listening: as it should be" : "listening: another number");
    return right ? 0 : 1;
}
