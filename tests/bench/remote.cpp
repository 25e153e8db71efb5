// SPDX-License-Identifier: BSL-1.0
// What a call of another program's object costs, against a round trip of raw TCP.

#include "bench.hpp"

#include <multiprocessing/process.hpp>
#include <multiprocessing/remote_managers.hpp>
#include <multiprocessing/spawn.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mp = multiprocessing;
using mp::connection::Address;

namespace {

constexpr std::size_t size_of_call = 40; // of a request with its frame, about

class Counter {
public:
    int add(int amount) { return value_ += amount; }

private:
    int value_ = 0;
};

int tcp_socket() {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

bool fill(int socket, std::array<char, size_of_call>& bytes) {
    return ::recv(socket, bytes.data(), bytes.size(), MSG_WAITALL) == static_cast<ssize_t>(bytes.size());
}

void echo(int port) {
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<std::uint16_t>(port));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = tcp_socket();
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) return;
    std::array<char, size_of_call> bytes;
    while (fill(socket, bytes)) static_cast<void>(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    ::close(socket);
}

} // namespace

int main() {
    mp::freeze_support();
    constexpr int trips = 5000;

    const int listening = tcp_socket();
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    if (::bind(listening, reinterpret_cast<const sockaddr*>(&here), size) != 0 || ::listen(listening, 1) != 0 ||
        ::getsockname(listening, reinterpret_cast<sockaddr*>(&here), &size) != 0)
        throw std::runtime_error("cannot listen");
    mp::Process peer(echo, static_cast<int>(ntohs(here.sin_port)));
    peer.start();
    const int raw = ::accept(listening, nullptr, nullptr);
    const int on = 1;
    ::setsockopt(raw, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

    const auto make = [](const Address& address) {
        mp::managers::BaseManager manager({.address = address, .authkey = "key"});
        manager.register_type<Counter, &Counter::add>("counter");
        return manager;
    };
    auto server = make(Address{"127.0.0.1", 0});
    server.start();
    auto client = make(server.address());
    client.connect();
    const auto counter = client.create<Counter>("counter");
    bench::compare(
        "remote call over loopback TCP / raw TCP round trip", 1.3,
        [&] {
            return bench::seconds([&] {
                       for (int i = 0; i < trips; ++i) bench::keep(counter.call<&Counter::add>(1));
                   }) /
                   trips;
        },
        [&] {
            std::array<char, size_of_call> bytes{};
            return bench::seconds([&] {
                       for (int i = 0; i < trips; ++i) {
                           if (::send(raw, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 || !fill(raw, bytes))
                               throw std::runtime_error("the peer is gone");
                       }
                   }) /
                   trips;
        });
    ::close(raw);
    ::close(listening);
    peer.join();
}
