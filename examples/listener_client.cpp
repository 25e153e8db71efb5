// SPDX-License-Identifier: BSL-1.0
// Python, in one program:
//     with Listener(address, authkey=b"secret password") as listener:
//         with listener.accept() as conn:
//             conn.send([2.25, None, 'junk', float])
//             conn.send_bytes(b'hello')
// and in another one:
//     with Client(address, authkey=b"secret password") as conn:
//         print(conn.recv())

#include <multiprocessing/listener.hpp>
#include <multiprocessing/multiprocessing.hpp>

#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace mp = multiprocessing;
using mp::connection::Address;
using mp::connection::Client;
using mp::connection::Listener;

// Any program of this build could do this, on whatever machine; here it is a child.
void client(const Address& address, const std::string& key) {
    try {
        mp::Connection conn = Client(address, {.authkey = key});
        std::cout << "the client got " << conn.recv<std::vector<double>>().size() << " numbers\n" << std::flush;
        conn.send(std::string("thanks"));
    } catch (const mp::AuthenticationError&) { std::cout << "the client was refused\n" << std::flush; }
}

int main() {
    mp::freeze_support();

    // Without an address it is a socket in a private folder; {.address = {"0.0.0.0", 6000}} would be for others.
    Listener listener({.authkey = "secret password"});

    mp::Process stranger(client, listener.address(), "another password");
    stranger.start();
    try {
        listener.accept();
    } catch (const mp::AuthenticationError&) { std::cout << "a stranger\n" << std::flush; }
    stranger.join();

    mp::Process friendly(client, listener.address(), "secret password");
    friendly.start();
    mp::Connection conn = listener.accept(); // the Listener goes on
    conn.send(std::vector{2.25, 1.5, 0.75});
    std::cout << conn.recv<std::string>() << '\n';
}

// Output, in any order:
// a stranger
// the client was refused
// the client got 3 numbers
// thanks
