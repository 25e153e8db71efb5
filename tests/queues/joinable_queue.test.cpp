// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <stdexcept>
#include <vector>

using namespace process;

TEST_CASE("a joinable queue is joined when all its items have been dealt with", "[queues]") {
    const mp::JoinableQueue<int> queue;
    CHECK(queue.join()); // nothing was put
    CHECK_THROWS_AS(queue.task_done(), std::invalid_argument);
    std::vector<mp::Process> children;
    const mp::Value<int> sum{0};
    for (int i = 0; i < 2; ++i) {
        children.emplace_back(
            [](mp::JoinableQueue<int> q, mp::Value<int> s) {
                for (int item : q) {
                    s += item;
                    q.task_done();
                }
            },
            queue, sum);
    }
    for (auto& child : children) child.start();
    for (int i = 1; i <= 500; ++i) queue.put(i);
    CHECK(queue.join());
    CHECK(sum.value() == 500 * 501 / 2);
    queue.put(0);
    queue.shutdown();
    CHECK(queue.join());
    for (auto& child : children) child.join();
    CHECK_THROWS_AS(queue.task_done(), std::invalid_argument);
}

TEST_CASE("joining a queue whose items nobody deals with ends after the timeout", "[queues]") {
    const mp::JoinableQueue<int> queue{3};
    queue.put(1);
    CHECK_FALSE(queue.join(5ms));
    queue.get();
    CHECK_FALSE(queue.join(5ms));
    queue.task_done();
    CHECK(queue.join(5ms));
}
