// error: .*only a trivially copyable type without pointers, references or views, or a lock-free std::atomic of one, can lie in shared memory: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/shared_vector.hpp>

#include <cstddef>

struct Node {
#ifdef TWIN
    std::size_t next; // its index
#else
    Node* next;
#endif
    double value;
};

int main() {
    multiprocessing::shared_vector<Node> nodes;
    nodes.resize(3);
}
