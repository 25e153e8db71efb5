// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/queues.hpp>

#include <string>
#include <system_error>

using namespace process;

TEST_CASE("a simple queue puts, gets, and is closed", "[queues]") {
    const mp::SimpleQueue<std::string> queue;
    CHECK(queue.empty());
    mp::Process child([](mp::SimpleQueue<std::string> q) { q.put("hello"); }, queue);
    child.start();
    CHECK(queue.get() == "hello");
    child.join();
    queue.close();
    CHECK_THROWS_AS(queue.put("x"), std::system_error);
    CHECK_THROWS_AS(queue.get(), std::system_error);
}
