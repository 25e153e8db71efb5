// SPDX-License-Identifier: BSL-1.0
// A process is stopped at any instant, in whatever it does. Calls with a timeout, and calls that do not wait, must return all
// the same: it goes on only when they have. If one does not return, the watchdog says who waits.
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <csignal>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// While it lives, the process is stopped: all of its threads, as far as the system tells.
class Stopped {
public:
    explicit Stopped(const mp::Process& process) : pid_(*process.pid()) {
        ::kill(pid_, SIGSTOP);
        while (mp::detail::platform::status_of_thread(static_cast<std::uint32_t>(pid_))->state != 'T')
            std::this_thread::yield();
    }
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;
    ~Stopped() { ::kill(pid_, SIGCONT); }

private:
    const int pid_;
};

/// Calls it, whatever comes of it.
template <class Call>
void attempt(Call call) {
    try {
        static_cast<void>(call());
    } catch (const mp::Full&) {
    } catch (const mp::Empty&) {
    } catch (const mp::ShutDown&) {
    } catch (const mp::BrokenBarrierError&) {}
}

using Item = std::vector<char>;

/// Small and large ones, the latter put in parts.
Item item_of(support::Random& random) { return Item(random.below(4) == 0 ? 2'000'000 : random.below(5000)); }

template <class Queue>
void use(Queue queue, unsigned seed) {
    support::Random random{seed};
    try {
        for (;;) {
            if (random.below(2) == 0) {
                queue.put(item_of(random));
            } else {
                queue.get();
            }
        }
    } catch (const mp::ShutDown&) {}
}

template <class Queue>
void try_all(const Queue& queue, support::Random& random) {
    const Item item = item_of(random);
    Item place;
    attempt([&] { return queue.try_put(item); });
    attempt([&] { return queue.put(item, 1ms), 0; });
    attempt([&] { return queue.put_nowait(item), 0; });
    attempt([&] { return queue.try_get(); });
    attempt([&] { return queue.get(1ms); });
    attempt([&] { return queue.get_nowait(); });
    attempt([&] { return queue.get_into(place, 1ms), 0; });
    static_cast<void>(queue.qsize() + queue.empty() + queue.full());
    if constexpr (requires { queue.task_done(); }) {
        attempt([&] { return queue.join(1ms); });
        if (random.below(2) == 0) {
            try {
                queue.task_done();
            } catch (const std::invalid_argument&) {}
        }
    }
}

struct Stage {
    mp::Lock lock;
    mp::RLock rlock;
    mp::Semaphore semaphore{1};
    mp::BoundedSemaphore bounded{2};
    mp::Event event;
    mp::Condition condition;
    mp::Barrier barrier{2};

    template <class Archive>
    void serialize(Archive& archive) {
        archive(lock, rlock, semaphore, bounded, event, condition, barrier);
    }
};

void use_stage(Stage stage) {
    for (;;) {
        { const std::scoped_lock guard{stage.lock}; }
        { const std::scoped_lock guard{stage.rlock}; }
        { const std::scoped_lock guard{stage.semaphore}; }
        { const std::scoped_lock guard{stage.bounded}; }
        stage.event.set();
        stage.event.wait(1ms);
        stage.event.clear();
        {
            const std::scoped_lock guard{stage.condition};
            stage.condition.notify_all();
            stage.condition.wait(1ms);
        }
        attempt([&] { return stage.barrier.wait(1ms); });
        stage.barrier.reset();
    }
}

void try_all(const Stage& stage) {
    const auto once = [](const auto& lockable) {
        if (lockable.acquire(1ms)) lockable.release();
        if (lockable.acquire(true, 1ms)) lockable.release();
        if (lockable.acquire(false)) lockable.release();
        if (lockable.try_lock()) lockable.unlock();
        if (lockable.try_lock_for(1ms)) lockable.unlock();
        if (lockable.try_lock_until(std::chrono::steady_clock::now() + 1ms)) lockable.unlock();
    };
    once(stage.lock);
    once(stage.rlock);
    once(stage.semaphore);
    once(stage.bounded);
    once(stage.condition);
    static_cast<void>(stage.lock.locked() + stage.rlock.locked() + stage.semaphore.get_value());
    stage.event.set();
    stage.event.clear();
    stage.event.wait(1ms);
    if (stage.condition.acquire(1ms)) {
        stage.condition.notify();
        stage.condition.wait(1ms);
        stage.condition.wait_for([] { return false; }, 1ms);
        stage.condition.release();
    }
    static_cast<void>(stage.barrier.n_waiting() + stage.barrier.broken());
    attempt([&] { return stage.barrier.wait(1ms); });
    stage.barrier.abort();
    stage.barrier.reset();
}

/// What the other end does.
void talk(mp::Connection connection) {
    support::Random random{5};
    try {
        for (;;) {
            if (random.below(2) == 0) connection.send(item_of(random));
            while (connection.poll()) connection.recv<Item>();
        }
    } catch (const std::exception&) {} // the other end is closed
}

} // namespace

TEMPLATE_TEST_CASE("nobody waits longer than it is told for one that is stopped in a queue", "[queues]",
                   mp::Queue<Item>, mp::JoinableQueue<Item>) {
    const std::size_t maxsize = GENERATE(std::size_t{0}, std::size_t{3});
    support::Random random{71};
    const int rounds = support::kills(30); // a call behind a stopped one may take 0.1 s
    for (int round = 0; round < rounds; round += 10) {
        const TestType queue{maxsize};
        mp::Process user(use<TestType>, queue, unsigned{random()});
        user.start();
        for (int i = 0; i < 10; ++i) {
            support::linger(random.below(3000));
            const Stopped stopped{user};
            try_all(queue, random);
        }
        support::linger(random.below(3000));
        {
            const Stopped stopped{user};
            queue.shutdown();
            try_all(queue, random);
        }
        user.join();
        CHECK(user.exitcode() == 0);
        queue.close();
    }
}

TEST_CASE("nobody waits longer than it is told for one that is stopped with a lock", "[synchronize]") {
    support::Random random{72};
    const Stage stage;
    mp::Process user(use_stage, stage);
    user.start();
    for (int round = support::kills(150); round > 0; --round) {
        support::linger(random.below(5000));
        const Stopped stopped{user};
        try_all(stage);
    }
    user.kill();
    user.join();
}

TEST_CASE("nobody waits longer than it is told for one that is stopped in a Pipe", "[connection]") {
    support::Random random{73};
    const bool by_stream = GENERATE(false, true);
    auto [ours, other] = mp::Pipe();
    if (by_stream) static_cast<void>(ours.fileno());
    mp::Process user(talk, std::move(other));
    user.start();
    for (int round = support::kills(60); round > 0; --round) {
        support::linger(random.below(3000));
        {
            const Stopped stopped{user};
            static_cast<void>(ours.poll());
            static_cast<void>(ours.poll(1ms));
            static_cast<void>(mp::connection::wait({ours}, 1ms));
        }
        if (ours.poll()) static_cast<void>(ours.recv<Item>());
        if (random.below(4) == 0) ours.send(item_of(random));
    }
    ours.close();
    user.join();
}
#endif
