// error: Queue<int> cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

int main() {
#ifdef TWIN
    mp::Queue<int> queue;
    queue.put(1);
#else
    mp::Queue<mp::Queue<int>> queue;
    queue.put(mp::Queue<int>{});
#endif
}
