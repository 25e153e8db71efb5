// SPDX-License-Identifier: BSL-1.0
// Python, run by this program:
//     from multiprocessing.connection import Client
//     with Client(address, authkey=b"secret") as conn:
//         numbers = conn.recv_bytes()
//         conn.send_bytes(str(sum(numbers)).encode())

#include <multiprocessing/listener.hpp>

#include <cstdlib>
#include <iostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

// Bytes are for all, so: recv_bytes and send_bytes. Types, send and recv, are for C++ programs of one build.
constexpr char program[] = R"(
import sys
from multiprocessing.connection import Client
with Client(sys.argv[1], authkey=b'secret') as conn:
    numbers = conn.recv_bytes()
    conn.send_bytes(str(sum(numbers)).encode())
)";

int main() {
    // A Python before 3.12 proves by MD5 that it knows the key; newer ones do it by SHA-256.
    mp::connection::Listener listener({.authkey = "secret", .allow_md5 = true});

    const std::string command = std::string("python3 -c \"") + program + "\" " + listener.address().path();
    int failed = 1;
    std::thread python([&] { failed = std::system(command.c_str()); });

    mp::Connection conn = listener.accept();
    const std::vector<unsigned char> numbers{1, 2, 3, 36};
    conn.send_bytes(std::as_bytes(std::span(numbers)));
    const std::vector<std::byte> answer = conn.recv_bytes(1000); // not more, whatever they send
    std::cout << "Python says " << std::string(reinterpret_cast<const char*>(answer.data()), answer.size())
              << '\n';

    python.join();
    return failed;
}

// Output:
// Python says 42
