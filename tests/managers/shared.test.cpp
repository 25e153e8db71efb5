// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;
namespace managers = mp::managers;

TEST_CASE("a managed lock excludes and is recovered from a dead holder", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto value = manager.Value<int>(0);
    auto workers = started_clients(
        3,
        [](managers::LockProxy l, managers::ValueProxy<int> v) {
            for (int i = 0; i < 30; ++i) {
                std::scoped_lock guard{l};
                const int before = v.get();
                v.set(before + 1);
            }
        },
        lock, value);
    for (auto& worker : workers) worker.join();
    CHECK(value.get() == 90);
    CHECK_THROWS_AS(lock.release(), std::invalid_argument);
    auto ready = manager.Event();
    mp::Process holder(
        [](managers::LockProxy l, managers::EventProxy e) {
            l.acquire();
            e.set();
            std::this_thread::sleep_for(60s);
        },
        lock, ready);
    holder.start();
    REQUIRE(ready.wait(30s));
    CHECK(lock.locked());
    CHECK_FALSE(lock.acquire(false));
    CHECK_FALSE(lock.acquire(20ms));
    std::thread killer([&] {
        std::this_thread::sleep_for(20ms);
        holder.kill();
    });
    CHECK(lock.acquire(30s));
    CHECK(lock.recovered());
    killer.join();
    lock.release(); // may be done by any thread
    CHECK_FALSE(lock.recovered());
    holder.join();
}

TEST_CASE("a managed rlock belongs to a thread", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.RLock();
    CHECK(lock.acquire());
    CHECK(lock.acquire());
    std::thread([&] {
        CHECK_FALSE(lock.acquire(false));
        CHECK_THROWS_AS(lock.release(), std::logic_error);
    }).join();
    lock.release();
    CHECK(lock.locked());
    lock.release();
    CHECK_FALSE(lock.locked());
}

TEST_CASE("a managed condition wakes a waiter and lets others go on", "[managers]") {
    auto manager = mp::Manager();
    auto condition = manager.Condition();
    auto value = manager.Value<int>(0);
    CHECK_THROWS_AS(condition.wait(), std::logic_error);
    auto waiters = started_clients(
        3,
        [](managers::ConditionProxy c, managers::ValueProxy<int> v) {
            std::scoped_lock guard{c};
            v += 1;
            if (!c.wait(60s)) std::exit(1);
            v += 10;
        },
        condition, value);
    REQUIRE(soon([&] { return value.get() == 3; }));
    {
        std::scoped_lock guard{condition};
        CHECK_FALSE(condition.wait(10ms));
        condition.notify();
    }
    REQUIRE(soon([&] { return value.get() == 13; }));
    {
        std::scoped_lock guard{condition};
        condition.notify_all();
    }
    for (auto& waiter : waiters) {
        waiter.join();
        CHECK(waiter.exitcode() == 0);
    }
    CHECK(value.get() == 33);
}

TEST_CASE("a managed semaphore counts", "[managers]") {
    auto manager = mp::Manager();
    auto semaphore = manager.Semaphore(2);
    CHECK(semaphore.acquire(false));
    CHECK(semaphore.acquire(false));
    CHECK_FALSE(semaphore.acquire(10ms));
    std::thread releaser([&] { semaphore.release(); });
    CHECK(semaphore.acquire(30s));
    releaser.join();
    semaphore.release(3);
    CHECK(semaphore.get_value() == 3);
    auto bounded = manager.BoundedSemaphore();
    CHECK_THROWS_AS(bounded.release(), std::invalid_argument);
}

TEST_CASE("a managed event lets all go on", "[managers]") {
    auto manager = mp::Manager();
    auto event = manager.Event();
    CHECK_FALSE(event.wait(10ms));
    auto waiters = started_clients(
        3, [](managers::EventProxy e) { std::exit(e.wait(60s) ? 0 : 1); }, event);
    event.set();
    for (auto& waiter : waiters) {
        waiter.join();
        CHECK(waiter.exitcode() == 0);
    }
    CHECK(event.wait());
    event.clear();
    CHECK_FALSE(event.is_set());
}

TEST_CASE("a managed barrier lets all parties pass and breaks with a dead one", "[managers]") {
    auto manager = mp::Manager();
    auto barrier = manager.Barrier(3, [] {});
    auto others = started_clients(
        2, [](managers::BarrierProxy b) { std::exit(b.wait() < 3 ? 0 : 1); }, barrier);
    CHECK(barrier.wait() < 3);
    for (auto& other : others) {
        other.join();
        CHECK(other.exitcode() == 0);
    }
    mp::Process waiter([](managers::BarrierProxy b) { b.wait(); }, barrier);
    waiter.start();
    REQUIRE(soon([&] { return barrier.n_waiting() == 1; }));
    std::thread killer([&] {
        REQUIRE(soon([&] { return barrier.n_waiting() == 2; }));
        waiter.kill();
    });
    CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError);
    killer.join();
    waiter.join();
    barrier.reset();
    CHECK_FALSE(barrier.broken());
    CHECK_THROWS_AS(barrier.wait(10ms), mp::BrokenBarrierError);
}

TEST_CASE("a managed queue passes items between processes", "[managers]") {
    auto manager = mp::Manager();
    auto q = manager.Queue<std::string>(2);
    auto results = manager.JoinableQueue<int>();
    mp::Process worker(
        [](managers::QueueProxy<std::string> in, managers::JoinableQueueProxy<int> out) {
            try {
                for (;;) out.put(static_cast<int>(in.get().size()));
            } catch (const mp::ShutDown&) { out.put(-1); }
        },
        q, results);
    worker.start();
    for (int i = 0; i < 20; ++i) q.put(std::string(static_cast<std::size_t>(i), 'x'));
    for (int i = 0; i < 20; ++i) {
        CHECK(results.get(60s) == i);
        results.task_done();
    }
    q.shutdown();
    CHECK(results.get(60s) == -1);
    CHECK_FALSE(results.join(10ms));
    results.task_done();
    CHECK(results.join(60s));
    CHECK_THROWS_AS(results.task_done(), std::invalid_argument);
    CHECK_THROWS_AS(results.get(10ms), mp::Empty);
    CHECK_THROWS_AS(results.get_nowait(), mp::Empty);
    CHECK_FALSE(results.try_get().has_value());
    CHECK_THROWS_AS(q.put("late"), mp::ShutDown);
    worker.join();
    auto full = manager.Queue<int>(1);
    full.put(1);
    CHECK(full.full());
    CHECK_FALSE(full.try_put(2));
    CHECK_THROWS_AS(full.put(2, 10ms), mp::Full);
}

TEST_CASE("an item goes past consumers that died waiting", "[managers]") {
    auto manager = mp::Manager();
    auto q = manager.Queue<int>();
    auto ready = manager.Semaphore(0);
    {
        std::vector<mp::Process> consumers;
        for (int i = 0; i < 2; ++i) {
            consumers.emplace_back(
                [](managers::QueueProxy<int> in, managers::SemaphoreProxy s, managers::ListProxy<int>) {
                    s.release();
                    in.get();
                },
                q, ready, manager.list<int>());
            consumers.back().start();
        }
        ready.acquire();
        ready.acquire();
        std::this_thread::sleep_for(20ms); // they wait by now, very likely
        for (auto& consumer : consumers) {
            consumer.kill();
            consumer.join();
        }
    }
    REQUIRE(soon([&] { return manager.number_of_objects() == 2; })); // the server has heard of it
    q.put(7);
    CHECK(q.get(30s) == 7);
}

namespace {

/// May be written in the process that made it only.
struct HomeBound {
    int home = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        if (home != 0 && home != mp::current_process().pid()) throw std::runtime_error("stays at home");
        archive(home);
    }
};

/// Has members of names that the server asks its own bodies for.
class Clockwork {
public:
    void tick(std::chrono::steady_clock::time_point) { ++ticks_; }
    void client_gone(std::uint32_t) { ++ticks_; }
    int ticks() const { return ticks_; }

private:
    int ticks_ = 0;
};

} // namespace

TEST_CASE("an item that cannot be written is the failure of the consumer that waits for it", "[managers]") {
    auto manager = mp::Manager();
    auto q = manager.Queue<HomeBound>();
    std::string error;
    std::thread consumer([&] {
        try {
            q.get(60s);
        } catch (const std::exception& e) { error = e.what(); }
    });
    std::this_thread::sleep_for(20ms); // it waits by now, very likely
    q.put(HomeBound{mp::current_process().pid()});
    consumer.join();
    CHECK(error.find("stays at home") != std::string::npos);
}

TEST_CASE("a class of the program's may have members of any name", "[managers]") {
    auto manager = mp::Manager();
    auto clockwork = manager.create<Clockwork>();
    mp::Process client([](managers::Proxy<Clockwork> c) { c.call<&Clockwork::ticks>(); }, clockwork);
    client.start();
    client.join();
    CHECK(clockwork.call<&Clockwork::ticks>() == 0);
}

TEST_CASE("a queue in a managed dict holds proxies", "[managers]") {
    auto manager = mp::Manager();
    using Lists = managers::QueueProxy<managers::ListProxy<int>>;
    auto queues = manager.dict<std::string, Lists>();
    queues.set("lists", manager.Queue<managers::ListProxy<int>>());
    queues.at("lists").put(manager.list<int>({1, 2}));
    auto list = queues.at("lists").get();
    list.append(3);
    CHECK(list.copy() == std::vector<int>{1, 2, 3});
}

TEST_CASE("managed values and arrays change in one step", "[managers]") {
    auto manager = mp::Manager();
    auto value = manager.Value<int>(1);
    auto array = manager.Array<double>({1, 2, 3});
    auto workers = started_clients(
        2,
        [](managers::ValueProxy<int> v, managers::ArrayProxy<double> a) {
            for (int i = 0; i < 50; ++i) {
                v += 1;
                a[-1] += 1;
            }
        },
        value, array);
    for (auto& worker : workers) worker.join();
    CHECK(value.get() == 101);
    CHECK(array.copy() == std::vector<double>{1, 2, 103});
    CHECK(manager.Array<int>(4).size() == 4);
    CHECK(value.update_with([](int& v, int by) { return v = by; }, 7) == 7);
}

TEST_CASE("shutdown answers calls that wait for other clients", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto event = manager.Event();
    lock.acquire();
    std::atomic<int> refused{0};
    std::vector<std::thread> waiting;
    waiting.emplace_back([&] {
        try {
            lock.acquire();
        } catch (const mp::ProcessError&) { ++refused; }
    });
    waiting.emplace_back([&] {
        try {
            event.wait();
        } catch (const mp::ProcessError&) { ++refused; }
    });
    std::this_thread::sleep_for(30ms);
    manager.shutdown();
    for (auto& thread : waiting) thread.join();
    CHECK(refused == 2);
}

TEST_CASE("a guard of a managed lock outlives the server", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto semaphore = manager.Semaphore();
    {
        const std::scoped_lock guard{lock, semaphore};
        manager.shutdown();
    }
    CHECK_THROWS_AS(lock.release(), mp::ProcessError);
}
