// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <multiprocessing/detail/platform/process_watch.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <functional>
#include <string>
#include <system_error>
#include <vector>

using namespace process;
namespace managers = mp::managers;

TEST_CASE("a manager's server ends with its killed owner", "[managers]") {
    mp::Queue<int> pids;
    mp::Process owner(
        [](mp::Queue<int> out) {
            auto manager = mp::Manager();
            auto list = manager.list<int>({1});
            out.put(manager.pid().value());
            std::this_thread::sleep_for(60s);
        },
        pids);
    owner.start();
    const int server = pids.get(30s);
    const auto end = mp::detail::platform::watch_process(server);
    owner.kill();
    owner.join();
    if (end && end->valid())
        CHECK(mp::detail::platform::wait_one(end->native(), mp::detail::Deadline::after(30s)));
}

TEST_CASE("a child makes a manager of its own", "[managers]") {
    mp::Process child([] {
        auto manager = mp::Manager();
        auto list = manager.list<int>({1, 2});
        mp::Process grandchild([](managers::ListProxy<int> l) { l.append(3); }, list);
        grandchild.start();
        grandchild.join();
        std::exit(static_cast<int>(list.size()));
    });
    child.start();
    child.join();
    CHECK(child.exitcode() == 3);
}

TEST_CASE("tasks of a pool take proxies", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<int, int>({{0, 0}});
    mp::Pool pool{2};
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < 20; ++i) {
        results.push_back(pool.apply_async(
            [](managers::DictProxy<int, int> dict, int number) {
                dict[0] += 1;
                return number;
            },
            d, i));
    }
    for (int i = 0; i < 20; ++i) CHECK(results[static_cast<std::size_t>(i)].get() == i);
    CHECK(d[0] == 20);
    CHECK(pool.apply([](managers::QueueProxy<int> q) { return q.get(30s); },
                     [&] {
                         auto q = manager.Queue<int>();
                         q.put(4);
                         return q;
                     }()) == 4);
}

TEST_CASE("blocks of a SharedMemoryManager go with it", "[managers]") {
    std::string block_name;
    std::string list_name;
    {
        managers::SharedMemoryManager manager;
        CHECK_THROWS_AS(manager.SharedMemory(100), mp::ProcessError);
        manager.start();
        auto block = manager.SharedMemory(100);
        auto list = manager.ShareableList({1, "a", 2.5});
        block.buf()[3] = std::byte{7};
        mp::Process child(
            [](mp::shared_memory::SharedMemory b, mp::shared_memory::ShareableList l) {
                b.buf()[4] = b.buf()[3];
                l.set(0, 5);
            },
            block, list);
        child.start();
        child.join();
        CHECK(block.buf()[4] == std::byte{7});
        CHECK(list.get<int>(0) == 5);
        block_name = block.name();
        list_name = list.shm().name();
        block.unlink(); // also by itself
        block.close();
        manager.shutdown();
        CHECK_THROWS_AS(manager.SharedMemory(100), mp::ProcessError);
    }
    const auto attach = [](const std::string& name) { mp::shared_memory::SharedMemory({.name = name}); };
    CHECK_THROWS_AS(attach(block_name), std::system_error);
    CHECK_THROWS_AS(attach(list_name), std::system_error);
}
