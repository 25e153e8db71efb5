// SPDX-License-Identifier: BSL-1.0
// Python:
//     def child(conn):
//         for line in iter(conn.recv, "that is all"):
//             conn.send(line.upper())
//
//     parent_conn, child_conn = Pipe()
//     p = Process(target=child, args=(child_conn,))
//     p.start()
//     parent_conn.send("hello")
//     print(parent_conn.recv())

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <utility>

namespace mp = multiprocessing;

struct Answer {
    std::string text;
    std::size_t letters;
};

void child(mp::Connection conn) {
    try {
        for (;;) {
            auto line = conn.recv<std::string>();
            for (char& c : line) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            conn.send(Answer{line, line.size()});
        }
    } catch (const mp::EOFError&) {} // the parent has closed its end: no sentinel is needed
}

int main() {
    mp::freeze_support();

    auto [parent_conn, child_conn] = mp::Pipe();
    mp::Process p(child, std::move(child_conn)); // from here on it is the child's
    p.start();
    for (const std::string line : {"hello", "pipes are fast"}) {
        parent_conn.send(line);
        const auto answer = parent_conn.recv<Answer>();
        std::cout << answer.text << ", " << answer.letters << '\n';
    }

    parent_conn.send(7); // is no std::string: the child is told so, and ends
    try {
        parent_conn.recv<Answer>();
    } catch (const mp::EOFError&) { std::cout << "the child has ended\n"; }
    p.join();
    std::cout << "with " << p.exitcode().value() << '\n';
}

// Output:
// HELLO, 5
// PIPES ARE FAST, 14
// the child has ended
// with 1
