// SPDX-License-Identifier: BSL-1.0
// Python:
//     queue = Queue()
//     class QueueManager(BaseManager): pass
//     QueueManager.register('get_queue', callable=lambda: queue)
//     m = QueueManager(address=('', 50000), authkey=b'abracadabra')
//     s = m.get_server()
//     s.serve_forever()

#include "jobs.hpp"

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <optional>
#include <string>

namespace mp = multiprocessing;

std::optional<mp::managers::Server> server;

void Server::stop() { server->shutdown(); } // what a client calls

int main(int argc, char** argv) {
    mp::freeze_support();

    const std::string host = argc > 1 ? argv[1] : "127.0.0.1";
    // {"", 50000} would be for other machines; port 0 is one that is free.
    mp::managers::BaseManager manager({.address = mp::connection::Address{host, 0}, .authkey = "abracadabra"});
    register_all(manager);
    server = manager.get_server();
    std::cout << manager.address().port() << std::endl; // for the client
    server->serve_forever();
}
