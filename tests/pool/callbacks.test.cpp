// SPDX-License-Identifier: BSL-1.0
// AsyncResult::then: when callbacks run, where, in which order, and what they may do.
#include <support/inputs.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/synchronize/event.hpp>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#endif

using namespace process;

namespace {

/// What callbacks have noted, from any thread.
class Notes {
public:
    void add(const std::string& note) {
        std::lock_guard lock{mutex_};
        notes_.push_back(note);
        changed_.notify_all();
    }
    std::vector<std::string> all() {
        std::lock_guard lock{mutex_};
        return notes_;
    }
    std::vector<std::string> wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        if (!changed_.wait_for(lock, 60s, [&] { return notes_.size() >= count; }))
            throw std::runtime_error("the callbacks do not come");
        return notes_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> notes_;
};

/// Opened once.
class Gate {
public:
    void open() { opened_.set_value(); }
    void wait() {
        if (future_.wait_for(60s) != std::future_status::ready)
            throw std::runtime_error("the gate stays closed");
    }

private:
    std::promise<void> opened_;
    std::shared_future<void> future_ = opened_.get_future().share();
};

int after(int x, mp::Event go) {
    go.wait();
    return x;
}

int fail_after(int, mp::Event go) {
    go.wait();
    throw std::domain_error("expected by a test");
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) { return e.what(); }
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("callbacks run once, in the order in which they were added", "[pool]") {
    mp::Pool pool(2);
    for (int round = 0; round < 20; ++round) {
        const mp::Event go;
        Notes notes;
        const auto result = pool.apply_async(after, 7, go);
        for (const char* const name : {"a", "b", "c"}) {
            const auto& same = result.then([&notes, name](int x) { notes.add(name + std::to_string(x)); });
            CHECK(&same == &result);
        }
        result.then([&](int x) { notes.add("d" + std::to_string(x)); },
                    [&](const std::exception_ptr&) { notes.add("error"); });
        CHECK(notes.all().empty());
        go.set();
        CHECK(notes.wait_for(4) == Texts{"a7", "b7", "c7", "d7"});
        CHECK(result.get() == 7);
    }
}

TEST_CASE("a callback that is added late runs at once in this thread", "[pool]") {
    mp::Pool pool(1);
    const auto result = pool.apply_async(identity, 7);
    result.wait();
    std::thread::id where;
    int value = 0;
    result.then([&](int x) { value = x, where = std::this_thread::get_id(); });
    CHECK(value == 7);
    CHECK(where == std::this_thread::get_id());
    CHECK(result.get() == 7);
    result.then([&](int x) { value = 2 * x; });
    CHECK(value == 14);
    const auto failed = pool.apply_async([]() -> int { throw std::domain_error("late"); });
    failed.wait();
    std::string text;
    failed.then([&](int) { text = "value"; }, [&](const std::exception_ptr& error) { text = text_of(error); });
    CHECK(text == "late");
    const auto empty = pool.map_async(identity, std::vector<int>{});
    empty.then([&](const std::vector<int>& results) { value = static_cast<int>(results.size()); });
    CHECK(value == 0);
}

TEST_CASE("a callback that is added while others run comes behind them", "[pool]") {
    mp::Pool pool(1);
    const mp::Event go;
    Notes notes;
    Gate begun;
    Gate may_end;
    const auto result = pool.apply_async(after, 1, go);
    std::thread::id first_thread;
    result.then([&](int) {
        first_thread = std::this_thread::get_id();
        begun.open();
        may_end.wait();
        notes.add("first");
    });
    result.then([&](int) { notes.add("second"); });
    go.set();
    begun.wait();
    CHECK(result.ready());
    std::thread::id third_thread;
    result.then([&](int) {
        third_thread = std::this_thread::get_id();
        notes.add("third");
    });
    CHECK(notes.all().empty());
    may_end.open();
    CHECK(notes.wait_for(3) == Texts{"first", "second", "third"});
    CHECK(third_thread == first_thread);
    CHECK(first_thread != std::this_thread::get_id());
}

TEST_CASE("an error goes to the error callback alone", "[pool]") {
    mp::Pool pool(1);
    const mp::Event go;
    Notes notes;
    const auto result = pool.apply_async(fail_after, 1, go);
    result.then([&](int) { notes.add("value"); });
    result.then([&](int) { notes.add("value"); },
                [&](const std::exception_ptr& error) { notes.add(text_of(error)); });
    go.set();
    CHECK(notes.wait_for(1) == Texts{"expected by a test"});
    const auto lost = pool.apply_async(vanish, 3);
    lost.then([&] { notes.add("value"); },
              [&](const std::exception_ptr& error) {
                  try {
                      std::rethrow_exception(error);
                  } catch (const mp::WorkerLostError& loss) {
                      notes.add("lost " + std::to_string(*loss.exitcode()));
                  }
              });
    CHECK(notes.wait_for(2).back() == "lost 3");
    pool.close();
    pool.join();
    CHECK(notes.all().size() == 2);
}

TEST_CASE("callbacks of void functions, maps and pointers get what get() gives", "[pool]") {
    mp::Pool pool(2);
    Notes notes;
    pool.apply_async([] {}).then([&] { notes.add("void"); });
    pool.map_async(identity, std::views::iota(0, 5)).then([&](const std::vector<int>& results) {
        notes.add("map of " + std::to_string(results.size()));
    });
    pool.map_async([](int) {}, std::views::iota(0, 5)).then([&] { notes.add("void map"); });
    const auto pointer = pool.apply_async([] { return std::make_unique<int>(5); });
    pointer.then([&](const std::unique_ptr<int>& p) { notes.add("pointer to " + std::to_string(*p)); });
    pool.apply_async([] { return std::string(100'000, 'x'); }).then([&](std::string text) {
        notes.add("text of " + std::to_string(text.size()));
    });
    pool.close();
    pool.join();
    Texts all = notes.all();
    std::sort(all.begin(), all.end());
    CHECK(all == Texts{"map of 5", "pointer to 5", "text of 100000", "void", "void map"});
    CHECK(*std::as_const(pointer).get() == 5); // a callback takes nothing away
}

TEST_CASE("what a callback throws is logged, and the others run", "[pool]") {
    const ExpectedLog log{"a callback of a result threw"};
    mp::Pool pool(1);
    const mp::Event go;
    Notes notes;
    const auto result = pool.apply_async(after, 1, go);
    result.then([](int) { throw std::runtime_error("out of a callback"); });
    result.then([&](int) { notes.add("second"); });
    go.set();
    notes.wait_for(1);
    CHECK(log.seen());
    CHECK(result.get() == 1);
    CHECK_NOTHROW(result.then([](int) { throw std::runtime_error("out of a late callback"); }));
    CHECK(pool.apply(identity, 3) == 3);
}

TEST_CASE("a callback submits to its pool, and waits for that", "[pool]") {
    mp::Pool pool(1);
    Notes notes;
    std::function<void(int)> again = [&](int depth) {
        CHECK(pool.apply(identity, depth) == depth);
        CHECK(pool.map(identity, {1, 2, 3}).size() == 3);
        for (const int x : pool.imap(identity, std::views::iota(0, 3))) CHECK(x < 3);
        if (depth < 5) {
            pool.apply_async(identity, depth + 1).then(again);
        } else {
            notes.add("deep");
        }
    };
    pool.apply_async(identity, 0).then(again);
    notes.wait_for(1);
    pool.close();
    pool.join();
}

TEST_CASE("join waits for callbacks", "[pool]") {
    mp::Pool pool(1);
    Gate begun;
    Gate may_end;
    std::atomic<bool> ended{false};
    const mp::Event has_callback; // else it would run here, if the result were ready by then
    pool.apply_async([](mp::Event event) { event.wait(); }, has_callback).then([&] {
        begun.open();
        may_end.wait();
        ended = true;
    });
    has_callback.set();
    begun.wait();
    pool.close();
    CHECK_FALSE(pool.join(0s));
    CHECK_FALSE(pool.join(50ms));
    CHECK_FALSE(ended);
    may_end.open();
    CHECK(pool.join());
    CHECK(ended);
}

TEST_CASE("join in a callback waits for no callback", "[pool]") {
    mp::Pool pool(2);
    Notes notes;
    const mp::Event go;
    pool.apply_async(after, 1, go).then([&](int) {
        pool.close();
        notes.add(pool.join() ? "joined" : "not joined");
    });
    go.set();
    CHECK(notes.wait_for(1) == Texts{"joined"});
    CHECK(mp::active_children().empty());
    CHECK(pool.join());
}

TEST_CASE("a callback destroys its pool", "[pool]") {
    for (int round = 0; round < 5; ++round) {
        auto pool = std::make_unique<mp::Pool>(2);
        Notes notes;
        const mp::Event go;
        auto result = pool->apply_async(after, 1, go);
        result.then([&](int) {
            pool.reset();
            notes.add("destroyed");
        });
        result.then([&](int) { notes.add("second"); });
        go.set();
        CHECK(notes.wait_for(2) == Texts{"destroyed", "second"});
        CHECK_FALSE(pool);
        CHECK(mp::active_children().empty());
        CHECK(result.get() == 1);
    }
}

TEST_CASE("callbacks of a terminated pool get CancelledError", "[pool]") {
    Notes notes;
    const auto note = [&](const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const mp::CancelledError&) { notes.add("cancelled"); } catch (...) {
            notes.add("another error");
        }
    };
    std::optional<mp::AsyncResult<int>> left;
    {
        mp::Pool pool(1);
        const FirstWaits waits{};
        left = pool.apply_async(waits, 0);
        left->then([&](int) { notes.add("value"); }, note);
        pool.apply_async(identity, 1).then([&](int) { notes.add("value"); }, note);
        pool.map_async(identity, {1, 2}).then([&](const std::vector<int>&) { notes.add("value"); }, note);
        waits.tally.wait_for(0, 1);
        pool.terminate();
        pool.join();
        CHECK(notes.all() == Texts{"cancelled", "cancelled", "cancelled"});
    }
    left->then([&](int) { notes.add("value"); }, note); // and when the pool has gone
    CHECK(notes.all().size() == 4);
}

TEST_CASE("callbacks run when all handles of their result were dropped", "[pool]") {
    mp::Pool pool(1);
    Notes notes;
    const mp::Event go;
    auto held = std::make_shared<int>(5);
    const std::weak_ptr<int> weak = held;
    pool.apply_async(after, 1, go).then([&notes, held = std::move(held)](int) {
        notes.add(std::to_string(*held));
    });
    go.set();
    CHECK(notes.wait_for(1) == Texts{"5"});
    pool.close();
    pool.join();
    CHECK(weak.expired()); // and they are gone afterwards
}

TEST_CASE("a callback gets its own result again, and cannot move it out", "[pool]") {
    const ExpectedLog log{"moved out by the callback"};
    mp::Pool pool(1);
    const mp::Event go;
    Notes notes;
    auto numbers = pool.apply_async(after, 4, go);
    numbers.then([&](int) { notes.add(std::to_string(numbers.get())); });
    auto pointer = pool.apply_async([](mp::Event e) { return (e.wait(), std::make_unique<int>(5)); }, go);
    pointer.then([&](const std::unique_ptr<int>&) { std::move(pointer).get(); });
    pointer.then([&](const std::unique_ptr<int>& p) { notes.add(p ? std::to_string(*p) : "null"); });
    go.set();
    CHECK(notes.wait_for(2) == Texts{"4", "5"});
    CHECK(log.seen());
    CHECK(*std::move(pointer).get() == 5);
}

TEST_CASE("threads add callbacks while results come, and all run once", "[pool]") {
    mp::Pool pool(2);
    std::atomic<int> called{0};
    std::atomic<int> wrong{0};
    constexpr int threads = 4;
    constexpr int rounds = 100;
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < rounds; ++i) results.push_back(pool.apply_async(identity, i));
    {
        std::vector<std::jthread> adding;
        for (int thread = 0; thread < threads; ++thread) {
            adding.emplace_back([&, thread] {
                for (int i = 0; i < rounds; ++i) {
                    const auto& result = results[static_cast<std::size_t>(i)];
                    result.then([&, i](int x) { wrong += x != i, ++called; });
                    if (thread == 0) wrong += result.get() != i;
                    pool.apply_async(identity, i).then([&, i](int x) { wrong += x != i, ++called; });
                }
            });
        }
    }
    pool.close();
    pool.join();
    CHECK(called == 2 * threads * rounds);
    CHECK(wrong == 0);
}

TEST_CASE("callbacks run while their pool's workers die", "[pool]") {
    const ExpectedLog log{""};
    mp::Pool pool(2);
    std::atomic<int> values{0};
    std::atomic<int> losses{0};
    for (int i = 0; i < 30; ++i) {
        pool.apply_async(
                [](int x) {
                    if (x % 3 == 0) vanish(1);
                    return x;
                },
                i)
            .then([&](int) { ++values; }, [&](const std::exception_ptr&) { ++losses; });
    }
    pool.close();
    pool.join();
    CHECK(values == 20);
    CHECK(losses == 10);
}

#if !defined(_WIN32)
TEST_CASE("a process that a callback starts blocks no signal", "[pool]") {
    mp::Pool pool(1);
    const mp::Value<int> blocked{-1};
    pool.apply_async(identity, 1).then([&](int) {
        mp::Process child(
            [](mp::Value<int> value) {
                sigset_t mask;
                ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                value.value() = ::sigismember(&mask, SIGTERM);
            },
            blocked);
        child.start();
        child.join();
    });
    pool.close();
    pool.join();
    CHECK(blocked.value() == 0);
}
#endif
