// SPDX-License-Identifier: BSL-1.0
// Python:
//     QueueManager.register('get_queue')
//     m = QueueManager(address=('foo.bar.org', 50000), authkey=b'abracadabra')
//     m.connect()
//     queue = m.get_queue()
//     queue.put('hello')
//
// To try it: server | client, or, from other machines, server HOST | client HOST

#include "jobs.hpp"

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

void Server::stop() {} // is the server's

int main(int argc, char** argv) {
    mp::freeze_support();

    const std::string host = argc > 1 ? argv[1] : "127.0.0.1";
    int port = 0;
    std::cin >> port;
    mp::managers::BaseManager manager(
        {.address = mp::connection::Address{host, port}, .authkey = "abracadabra"});
    register_all(manager);
    manager.connect();

    auto jobs = manager.object<mp::Queue<std::string>>("jobs"); // one for all clients
    jobs.put("hello");
    auto done = manager.object<std::map<std::string, int>>("done");
    done.insert(jobs.get(), 1);
    done["hello"] += 1;
    std::cout << "hello was done " << done["hello"] << " times\n";

    auto maths = manager.create<Maths>("maths"); // one of our own
    std::cout << maths.call<&Maths::add>(4, 3) << '\n';
    try {
        maths.call<&Maths::divide>(1.0, 0.0);
    } catch (const std::domain_error& error) { std::cout << error.what() << '\n'; } // as itself

    manager.object<Server>("server").call<&Server::stop>();
}

// Output:
// hello was done 2 times
// 7
// division by zero
