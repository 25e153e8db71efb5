// error: field 1 'next' of Node: int\* cannot cross a process boundary
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/queues.hpp>

struct Node {
    int value = 0;
#ifdef TWIN
    int next = 0;
#else
    int* next = nullptr;
#endif
};

int main() {
    multiprocessing::Queue<Node> queue;
    queue.put(Node{});
    queue.get();
}
