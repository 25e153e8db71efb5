// SPDX-License-Identifier: BSL-1.0
#include <remote_managers/support.hpp>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace process;

TEST_CASE("references of a remote client are returned when its connection ends", "[remote_managers]") {
    auto server = started_server();
    const std::size_t before = server.number_of_objects();
    {
        auto client = connected_to(server.address());
        std::vector<mp::managers::Proxy<Counter>> counters;
        for (int i = 0; i < 5; ++i) counters.push_back(client.create<Counter>("counter"));
        CHECK(client.number_of_objects() == before + 5);
        counters.pop_back();
        CHECK(soon([&] { return server.number_of_objects() == before + 4; }));
    }
    CHECK(soon([&] { return server.number_of_objects() == before; }));
}

TEST_CASE("a client that is killed in a call disturbs nobody", "[remote_managers]") {
    for (const Address& address : addresses()) {
        auto server = started_server({.address = address});
        const std::size_t before = server.number_of_objects();
        auto near = server.object<std::map<std::string, int>>("map");
        mp::Process child(
            [](Address there) {
                auto client = connected_to(there);
                auto counter = client.create<Counter>("counter");
                auto lock = client.object<mp::Lock>("lock");
                lock.acquire();
                std::thread waiting([&] { client.object<mp::Queue<std::string>>("jobs").get(); });
                std::this_thread::sleep_for(50ms);
                client.object<std::map<std::string, int>>("map")["ready"] = 1;
                waiting.join();
            },
            server.address());
        child.start();
        REQUIRE(soon([&] { return near.contains("ready"); }));
        auto client = connected_to(server.address());
        auto lock = client.object<mp::Lock>("lock");
        CHECK_FALSE(lock.acquire(10ms));
        child.kill();
        child.join();
        CHECK(lock.acquire()); // what it held goes to the next
        CHECK(lock.recovered());
        lock.release();
        CHECK(soon([&] { return server.number_of_objects() == before; }));
        auto jobs = client.object<mp::Queue<std::string>>("jobs");
        jobs.put("for the living");
        CHECK(jobs.get() == "for the living");
    }
}

TEST_CASE("a killed server gives every remote client an error at once", "[remote_managers]") {
    for (const Address& address : addresses()) {
        auto server = started_server({.address = address});
        auto client = connected_to(server.address());
        auto counter = client.create<Counter>("counter");
        auto queue = client.object<mp::Queue<std::string>>("jobs");
        std::atomic<int> errors{0};
        std::vector<std::thread> waiting;
        for (int i = 0; i < 4; ++i) {
            waiting.emplace_back([&, i] {
                try {
                    if (i % 2) {
                        counter.call<&Counter::sleep>(60'000);
                    } else {
                        queue.get();
                    }
                } catch (const mp::EOFError&) { ++errors; }
            });
        }
        std::this_thread::sleep_for(50ms);
        for (const auto& view : mp::active_children()) {
            if (view.pid() == server.pid()) view.kill();
        }
        for (auto& thread : waiting) thread.join();
        CHECK(errors == 4);
        CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::EOFError);
        CHECK_THROWS_AS(client.create<Counter>("counter"), mp::EOFError);
    }
}

TEST_CASE("a server that is killed while clients connect is an end for each of them", "[remote_managers]") {
    for (const Address& address : addresses()) {
        for (int round = 0; round < 5; ++round) {
            auto server = started_server({.address = address});
            auto client = connected_to(server.address());
            auto counter = client.create<Counter>("counter");
            std::atomic<int> ends{0};
            std::mutex mutex;
            std::string others;
            std::vector<std::thread> calling;
            for (int i = 0; i < 6; ++i) { // each makes a connection, or takes another one's
                calling.emplace_back([&] {
                    try {
                        for (;;) counter.call<&Counter::sleep>(1);
                    } catch (const mp::EOFError&) { ++ends; } catch (const std::exception& error) {
                        std::lock_guard lock{mutex};
                        others += error.what();
                    }
                });
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{round});
            for (const auto& view : mp::active_children()) {
                if (view.pid() == server.pid()) view.kill();
            }
            for (auto& thread : calling) thread.join();
            CHECK(others == "");
            CHECK(ends == 6);
        }
    }
}

TEST_CASE("a remote method that exits ends the server for all", "[remote_managers]") {
    auto server = started_server();
    auto client = connected_to(server.address());
    auto counter = client.create<Counter>("counter");
    CHECK_THROWS_AS(counter.call<&Counter::leave>(0), mp::EOFError);
    CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::EOFError);
}

TEST_CASE("after a shutdown remote calls say so", "[remote_managers]") {
    auto server = started_server({.shutdown_timeout = 50ms});
    auto client = connected_to(server.address());
    auto counter = client.create<Counter>("counter");
    auto queue = client.object<mp::Queue<std::string>>("jobs");
    std::atomic<int> refused{0};
    std::vector<std::thread> waiting;
    waiting.emplace_back([&] {
        try {
            queue.get();
        } catch (const mp::ProcessError&) { ++refused; }
    });
    waiting.emplace_back([&] {
        try {
            counter.call<&Counter::sleep>(60'000);
        } catch (const mp::ProcessError&) { ++refused; }
    });
    std::this_thread::sleep_for(50ms);
    server.shutdown();
    for (auto& thread : waiting) thread.join();
    CHECK(refused == 2);
    CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::ProcessError);
    CHECK_THROWS_AS(client.object<Counter>("total"), mp::ProcessError);
    CHECK_THROWS_AS(connected_to(client.address()), std::system_error);
}

TEST_CASE("a call that takes too long fails alone", "[remote_managers]") {
    // Which the other calls do not take on a busy machine either.
    auto server = started_server({.call_timeout = 2s});
    auto client = connected_to(server.address());
    auto counter = client.create<Counter>("counter");
    auto other = client.create<Counter>("counter", 1);
    CHECK_THROWS_AS(counter.call<&Counter::sleep>(4000), mp::TimeoutError);
    CHECK(other.call<&Counter::value>() == 1);
    CHECK_THROWS_AS(client.object<mp::Queue<std::string>>("jobs").get(), mp::TimeoutError);
    auto jobs = client.object<mp::Queue<std::string>>("jobs");
    jobs.put("still here"); // nobody waits any more
    CHECK(jobs.get() == "still here");
    CHECK(soon([&] { // the method has returned by then
        try {
            return counter.call<&Counter::value>() == 0;
        } catch (const mp::TimeoutError&) { return false; }
    }));
}

TEST_CASE("remote calls beyond the limit of blocked ones are refused", "[remote_managers]") {
    auto server = started_server({.shutdown_timeout = 50ms, .max_calls = 2});
    auto client = connected_to(server.address());
    std::vector<mp::managers::Proxy<Counter>> counters;
    for (int i = 0; i < 4; ++i) counters.push_back(client.create<Counter>("counter"));
    std::atomic<int> refused{0};
    std::vector<std::thread> sleepers;
    for (auto& counter : counters) {
        sleepers.emplace_back([&] {
            try {
                counter.call<&Counter::sleep>(60'000);
            } catch (const std::system_error&) { ++refused; } catch (const mp::ProcessError&) {
            } // the shutdown
        });
    }
    CHECK(soon([&] { return refused == 2; }));
    auto map = client.object<std::map<std::string, int>>("map");
    map["a"] = 1; // containers go on
    CHECK(map["a"] == 1);
    server.shutdown();
    for (auto& thread : sleepers) thread.join();
    CHECK(refused == 2);
}
