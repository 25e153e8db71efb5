// SPDX-License-Identifier: BSL-1.0
// multiprocessing::dummy: the interface on threads. ThreadSanitizer runs these cases, too.
#include <support/processes.hpp>

#include <multiprocessing/dummy.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;
namespace dummy = mp::dummy;

TEST_CASE("a dummy Process is a thread with the interface of a Process", "[dummy]") {
    std::promise<void> go;
    std::string name;
    dummy::Process process(
        {.name = "worker"},
        [&](std::unique_ptr<int> number) {
            name = dummy::current_process().name() + std::to_string(*number);
            go.get_future().wait();
        },
        std::make_unique<int>(7));
    CHECK(process.name() == "worker");
    CHECK_FALSE(process.is_alive());
    CHECK_FALSE(process.exitcode());
    CHECK_THROWS_AS(process.join(), std::logic_error);
    CHECK(mp::to_string(process) == "<DummyProcess(worker, initial)>");
    process.start();
    CHECK_THROWS_AS(process.start(), std::logic_error);
    CHECK(process.is_alive());
    CHECK_FALSE(process.join(10ms));
    CHECK(mp::to_string(process) == "<DummyProcess(worker, started)>");
    go.set_value();
    CHECK(process.join());
    CHECK(process.exitcode() == 0);
    CHECK_FALSE(process.is_alive());
    CHECK(name == "worker7");
    CHECK(mp::to_string(process) == "<DummyProcess(worker, stopped)>");
}

TEST_CASE("a dummy Process has a default name, another if it is told, and a daemon of its kind", "[dummy]") {
    dummy::Process process([] {});
    CHECK(process.name().starts_with("Thread-"));
    process.set_name("other");
    CHECK(process.name() == "other");
    CHECK_FALSE(process.daemon());
    CHECK(dummy::current_process().name() == "MainThread");
    CHECK_THROWS_AS(dummy::Process({.start_method = mp::StartMethod::spawn}, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(dummy::Process({.cwd = "/"}, [] {}), std::invalid_argument);
}

TEST_CASE("an exception that leaves a dummy Process is printed, and its exit code is 1", "[dummy]") {
    dummy::Process process([] { throw std::runtime_error("expected by this test"); });
    process.start();
    process.join();
    CHECK(process.exitcode() == 1);
}

TEST_CASE("active_children of a thread are those that it started and that run", "[dummy]") {
    std::promise<void> go;
    const auto opened = go.get_future().share();
    std::size_t of_child = 99;
    CHECK(dummy::active_children().empty());
    {
        dummy::Process first([&] {
            of_child = dummy::active_children().size();
            opened.wait();
        });
        dummy::Process second([] {});
        first.start();
        second.start();
        second.join();
        const auto children = dummy::active_children();
        REQUIRE(children.size() == 1);
        CHECK(children[0] == first);
        CHECK(children[0].is_alive());
        go.set_value();
    } // waits for it
    CHECK(of_child == 0);
    CHECK(dummy::active_children().empty());
}

TEST_CASE("a dummy Lock belongs to a thread", "[dummy]") {
    dummy::Lock lock;
    dummy::RLock again;
    REQUIRE(lock.acquire());
    REQUIRE(again.acquire());
    REQUIRE(again.acquire());
    std::atomic<int> as_expected{0};
    dummy::Process other([&, lock, again] {
        as_expected += !lock.acquire(false);
        as_expected += !again.acquire(10ms);
        try {
            lock.release();
        } catch (const std::logic_error&) { ++as_expected; }
    });
    other.start();
    other.join();
    CHECK(as_expected == 3);
    lock.release();
    again.release();
    again.release();
    int counter = 0; // guarded by the lock
    std::vector<dummy::Process> adders;
    for (int i = 0; i < 4; ++i) {
        adders.emplace_back([&counter, lock] {
            for (int j = 0; j < 500; ++j) {
                lock.acquire();
                ++counter;
                lock.release();
            }
        });
        adders.back().start();
    }
    for (auto& adder : adders) adder.join();
    CHECK(counter == 2000);
}

TEST_CASE("dummy queues, pipes and shared values work between threads", "[dummy]") {
    dummy::Queue<std::string> words;
    dummy::JoinableQueue<int> numbers(2);
    dummy::Value<long> sum(0);
    dummy::Array<int> squares(10);
    auto [here, there] = dummy::Pipe();
    dummy::Process worker([=, end = std::move(there)]() mutable {
        for (int i = 0; i < 10; ++i) {
            const int number = numbers.get();
            sum += number;
            squares[static_cast<std::size_t>(number)] = number * number;
            numbers.task_done();
        }
        words.put("done");
        end.send(end.template recv<int>() + 1);
    });
    worker.start();
    for (int i = 0; i < 10; ++i) numbers.put(i);
    CHECK(numbers.join(60s));
    CHECK(words.get(60s) == "done");
    here.send(41);
    CHECK(here.recv<int>() == 42);
    worker.join();
    CHECK(sum.copy() == 45);
    CHECK(squares[9] == 81);
}

TEST_CASE("dummy events, conditions, semaphores and barriers hold threads and let them go", "[dummy]") {
    dummy::Event begun, go;
    dummy::Condition condition;
    dummy::BoundedSemaphore places(1);
    dummy::Semaphore turn(0);
    dummy::Barrier barrier(2);
    dummy::Value<int> state(0);
    dummy::Process process([=] {
        begun.set();
        go.wait();
        condition.acquire();
        state.value() = 1;
        condition.notify_all();
        condition.release();
        turn.acquire();
        barrier.wait();
    });
    process.start();
    CHECK(begun.wait(60s));
    CHECK_FALSE(go.is_set());
    condition.acquire();
    go.set();
    CHECK(condition.wait_for([&] { return state.value() == 1; }, 60s));
    condition.release();
    turn.release();
    barrier.wait();
    process.join();
    CHECK(places.acquire());
    CHECK_FALSE(places.acquire(false));
    places.release();
    CHECK_THROWS_AS(places.release(), std::invalid_argument);
}

TEST_CASE("dummy::Pool is a ThreadPool", "[dummy]") {
    dummy::Pool pool(2);
    const int offset = 10;
    CHECK(pool.map([&](int x) { return x + offset; }, {1, 2}) == std::vector{11, 12});
}

#if !defined(_WIN32)
TEST_CASE("a copy that fork makes has none of the threads", "[dummy]") {
    std::promise<void> go;
    auto process = std::make_unique<dummy::Process>([&] { go.get_future().wait(); });
    process->start();
    const pid_t copy = ::fork();
    if (copy == 0) {
        int code = 0;
        try {
            process->join();
        } catch (const std::logic_error&) { ++code; }
        code += dummy::active_children().empty();
        process.reset(); // waits for nobody
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(copy, &status, 0);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 2);
    go.set_value();
    CHECK(process->join());
}
#endif
