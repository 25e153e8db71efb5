// SPDX-License-Identifier: BSL-1.0
// Python:
//     def produce(queue, words):
//         for word in words:
//             queue.put(word)
//         queue.put(None)
//
//     queue = Queue(maxsize=2)
//     Process(target=produce, args=(queue, ["to", "be", "or", "not"])).start()
//     while (word := queue.get()) is not None:
//         print(word)

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace mp = multiprocessing;

using Words = mp::Queue<std::optional<std::string>>; // a nullopt is the sentinel that None is in Python

void produce(Words queue, std::vector<std::string> words) {
    for (const std::string& word : words) queue.put(word); // waits while two are in the queue
    queue.put(std::nullopt);
}

int main() {
    mp::freeze_support();

    Words queue{2};
    mp::Process producer(produce, queue, std::vector<std::string>{"to", "be", "or", "not"});
    producer.start();
    while (std::optional<std::string> word = queue.get()) std::cout << *word << '\n';
    producer.join();

    // When put() has returned the item is in the queue: a child may be joined before its items are read.
    Words other;
    mp::Process late(produce, other, std::vector<std::string>{"that is the question"});
    late.start();
    late.join();
    std::cout << *other.get() << ", " << other.qsize() << " item left\n";
}

// Output:
// to
// be
// or
// not
// that is the question, 1 item left
