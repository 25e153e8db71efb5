// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/remote_exceptions.hpp>
#include <multiprocessing/synchronize.hpp>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

std::atomic<bool> gate{false}; // of each server its own

/// Opens the gate of the server of `d`, by which calls go that never wait.
void open_gate(const mp::managers::DictProxy<int, int>& d) {
    d.update_with(0, [](int&) { gate = true; });
}

/// Counts, remembers, waits, throws, exits.
class Counter {
public:
    Counter() = default;
    explicit Counter(int start) : value_(start) {}

    int add(int amount) { return value_ += amount; }
    int value() const { return value_; }
    int add_slowly(int amount) {
        const int before = value_;
        std::this_thread::sleep_for(1ms);
        return value_ = before + amount;
    }
    /// Until the gate of this server is open.
    void wait_at_gate() {
        while (!gate) std::this_thread::sleep_for(1ms);
    }
    void sleep(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds}); }
    void fail(const std::string& text) const { throw std::out_of_range(text); }
    void leave(int code) { std::_Exit(code); }
    const std::string& remember(std::string text) { return text_ = std::move(text); }
    std::size_t length_of(const std::vector<int>& numbers) const noexcept { return numbers.size(); }
    std::vector<int> numbers(int count) const {
        std::vector<int> result(static_cast<std::size_t>(count));
        std::iota(result.begin(), result.end(), 0);
        return result;
    }

private:
    int value_ = 0;
    std::string text_;
};
using CounterProxy = mp::managers::Proxy<Counter>;
using Dict = mp::managers::DictProxy<int, int>;

} // namespace

TEST_CASE("an object of any class is made and called in the server", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>(5);
    CHECK(counter.call<&Counter::add>(2) == 7);
    CHECK(counter.call<&Counter::value>() == 7);
    CHECK(counter.call<&Counter::remember>("some text") == "some text");
    CHECK(manager.create<Counter>().call<&Counter::value>() == 0);
}

TEST_CASE("an exception of a remote call arrives as itself with its cause", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    try {
        counter.call<&Counter::fail>("no such thing");
        FAIL();
    } catch (const std::out_of_range& error) {
        CHECK(std::string(error.what()) == "no such thing");
        REQUIRE(mp::remote_cause(error) != nullptr);
        CHECK(mp::remote_cause(error)->pid == manager.pid());
    }
    CHECK(counter.call<&Counter::value>() == 0);
}

TEST_CASE("messages of any size pass through a channel", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    for (const int count : {0, 1, 500, 950, 1000, 2000, 5'000'000}) {
        const auto numbers = counter.call<&Counter::numbers>(count);
        REQUIRE(numbers.size() == static_cast<std::size_t>(count));
        CHECK((count == 0 || numbers.back() == count - 1));
        CHECK(counter.call<&Counter::length_of>(numbers) == numbers.size());
    }
    CHECK(counter.call<&Counter::add>(1) == 1);
}

TEST_CASE("processes and threads use one object through proxies", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    auto d = manager.dict<int, int>({{0, 0}});
    auto workers = started_clients(
        3,
        [](CounterProxy c, Dict dict) {
            std::vector<std::thread> threads;
            for (int i = 0; i < 3; ++i) {
                threads.emplace_back([&] {
                    for (int k = 0; k < 20; ++k) {
                        c.call<&Counter::add_slowly>(1);
                        dict[0] += 1;
                    }
                });
            }
            for (auto& thread : threads) thread.join();
        },
        counter, d);
    for (auto& worker : workers) worker.join();
    CHECK(counter.call<&Counter::value>() == 180);
    CHECK(d[0] == 180);
}

TEST_CASE("a blocked call holds up only callers of its object", "[managers]") {
    auto manager = mp::Manager();
    auto slow = manager.create<Counter>();
    auto quick = manager.create<Counter>();
    auto d = manager.dict<int, int>({{0, 0}});
    std::atomic<int> ended{0};
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 3; ++i) {
        sleepers.emplace_back([&] {
            slow.call<&Counter::wait_at_gate>();
            ++ended;
        });
    }
    std::this_thread::sleep_for(20ms); // at least one is in it, very likely
    for (int i = 0; i < 100; ++i) {
        d[0] += 1;
        quick.call<&Counter::add>(1);
    }
    CHECK(ended == 0);
    open_gate(d);
    for (auto& thread : sleepers) thread.join();
    CHECK(quick.call<&Counter::value>() == 100);
}

TEST_CASE("a call beyond the limit of blocked ones is refused and containers go on", "[managers]") {
    auto manager = mp::Manager({.max_calls = 3});
    auto d = manager.dict<int, int>({{0, 0}});
    std::vector<CounterProxy> counters;
    for (int i = 0; i < 8; ++i) counters.push_back(manager.create<Counter>());
    std::atomic<int> refused{0};
    std::atomic<int> served{0};
    std::vector<std::thread> sleepers;
    for (auto& counter : counters) {
        sleepers.emplace_back([&] {
            try {
                counter.call<&Counter::wait_at_gate>();
                ++served;
            } catch (const std::system_error&) { ++refused; }
        });
    }
    CHECK(soon([&] { return refused >= 5; }));
    for (int i = 0; i < 100; ++i) d[0] += 1;
    CHECK(served == 0);
    open_gate(d);
    for (auto& thread : sleepers) thread.join();
    CHECK(d[0] == 100);
    CHECK(served == 3);
}

TEST_CASE("a proxy given to a process keeps its object until that has it", "[managers]") {
    auto manager = mp::Manager();
    const std::size_t before = manager.number_of_objects();
    {
        mp::Process child([](CounterProxy c) { std::exit(c.call<&Counter::value>()); },
                          manager.create<Counter>(7));
        child.start();
        child.join();
        CHECK(child.exitcode() == 7);
    }
    CHECK(soon([&] { return manager.number_of_objects() == before; }));
}

TEST_CASE("a proxy crosses from child to grandchild", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    mp::Process child(
        [](CounterProxy c) {
            mp::Process grandchild([](CounterProxy again) { again.call<&Counter::add>(3); }, c);
            grandchild.start();
            grandchild.join();
            c.call<&Counter::add>(1);
        },
        counter);
    child.start();
    child.join();
    CHECK(counter.call<&Counter::value>() == 4);
}

TEST_CASE("references of a killed client are given back", "[managers]") {
    auto manager = mp::Manager();
    const std::size_t before = manager.number_of_objects();
    auto d = manager.dict<int, int>();
    using Dicts = mp::managers::DictProxy<int, Dict>;
    auto all = manager.dict<int, Dict>();
    auto counter = manager.create<Counter>();
    mp::Process child(
        [](Dicts dicts, Dict ready) {
            std::vector<Dict> own;
            for (int i = 0; i < 10; ++i) own.push_back(dicts.at(i));
            ready[0] = 1;
            std::this_thread::sleep_for(60s);
        },
        all, d);
    for (int i = 0; i < 10; ++i) all.set(i, manager.dict<int, int>({{i, i}}));
    CHECK(manager.number_of_objects() == before + 13);
    child.start();
    REQUIRE(soon([&] { return d.contains(0); }));
    all.clear();
    CHECK(manager.number_of_objects() == before + 13); // the child has them
    child.kill();
    child.join();
    CHECK(soon([&] { return manager.number_of_objects() == before + 3; }));
}

TEST_CASE("a proxy inside a managed value refers to the same object", "[managers]") {
    auto manager = mp::Manager();
    auto inner = manager.dict<int, int>({{1, 10}});
    auto outer = manager.dict<std::string, Dict>();
    outer.set("inner", inner);
    outer.at("inner")[1] += 5;
    CHECK(inner[1] == 15);
    CHECK(outer.at("inner") == inner);
    outer.clear();
    CHECK(inner[1] == 15);
    outer.set("again", inner);
    CHECK(outer.update_with("again", [](Dict& held) {
        held[1] += 1;
        return held.size();
    }) == 1);
    CHECK(inner[1] == 16);
    auto others = mp::Manager();
    auto far = others.dict<int, Dict>();
    CHECK_THROWS_AS(far.set(1, inner), std::invalid_argument);
}

TEST_CASE("a killed server gives every client an error at once", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    std::atomic<int> errors{0};
    std::vector<std::thread> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back([&] {
            try {
                counter.call<&Counter::sleep>(60'000);
            } catch (const mp::EOFError&) { ++errors; }
        });
    }
    mp::Process child(
        [](CounterProxy c) {
            try {
                c.call<&Counter::sleep>(60'000);
            } catch (const mp::EOFError&) { std::exit(3); }
        },
        counter);
    child.start();
    std::this_thread::sleep_for(100ms);
    for (const auto& view : mp::active_children()) {
        if (view.pid() == manager.pid()) view.kill();
    }
    for (auto& thread : waiting) thread.join();
    child.join();
    CHECK(errors == 4);
    CHECK((child.exitcode() == 3 || child.exitcode() == 1)); // 1: it had not begun
    CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::EOFError);
}

TEST_CASE("a method that exits ends the server and every call", "[managers]") {
    auto manager = mp::Manager();
    auto counter = manager.create<Counter>();
    CHECK_THROWS_AS(counter.call<&Counter::leave>(0), mp::EOFError);
    CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::EOFError);
    manager.shutdown();
}

TEST_CASE("shutdown ends the server and later calls", "[managers]") {
    auto manager = mp::Manager({.shutdown_timeout = 50ms});
    auto counter = manager.create<Counter>();
    std::atomic<bool> refused{false};
    std::thread waiting([&] {
        try {
            counter.call<&Counter::sleep>(60'000);
        } catch (const mp::ProcessError&) { refused = true; }
    });
    std::this_thread::sleep_for(50ms);
    manager.shutdown();
    waiting.join();
    CHECK(refused);
    manager.shutdown();
    CHECK(manager.join(0s));
    CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::ProcessError);
    CHECK_THROWS_AS(manager.create<Counter>(), mp::ProcessError);
    CHECK_THROWS_AS(mp::managers::SyncManager().create<Counter>(), mp::ProcessError);
}

TEST_CASE("an initializer runs in the server and its error is the manager's", "[managers]") {
    static int given = 0;
    struct Reader {
        int value() const { return given; }
    };
    auto manager = mp::Manager([](int number) { given = number; }, 7);
    CHECK(manager.create<Reader>().call<&Reader::value>() == 7);
    CHECK(given == 0);
    const auto make = [] { auto other = mp::Manager([] { throw std::out_of_range("too far"); }); };
    CHECK_THROWS_AS(make(), std::out_of_range);
}

TEST_CASE("a copy by fork goes on with proxies of its original", "[managers]") {
    if constexpr (mp::detail::platform::can_fork) {
        auto manager = mp::Manager();
        auto counter = manager.create<Counter>();
        counter.call<&Counter::add>(1);
        const int pid = mp::detail::platform::fork_process();
        if (pid == 0) {
            int code = 1;
            try {
                const auto copy = counter;
                code = copy.call<&Counter::add>(5);
            } catch (...) {}
            mp::detail::platform::exit_now(code);
        }
        mp::detail::platform::Child copy{pid};
        mp::detail::platform::wait_one(copy.sentinel().native(), mp::detail::Deadline{});
        CHECK(copy.poll()->exitcode == 6);
        CHECK(counter.call<&Counter::value>() == 6);
    }
}
