// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/few_files.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <optional>

#if !defined(_WIN32)
#include <csignal>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

/// `count` processes that run `work(arguments...)`.
template <class Work, class... Argument>
std::vector<mp::Process> started(int count, Work work, const Argument&... arguments) {
    std::vector<mp::Process> processes;
    for (int i = 0; i < count; ++i) processes.emplace_back(work, arguments...);
    for (auto& process : processes) process.start();
    return processes;
}

/// The same, and waits for them.
template <class Work, class... Argument>
void run_all(int count, Work work, const Argument&... arguments) {
    auto processes = started(count, work, arguments...);
    for (auto& process : processes) {
        process.join();
        CHECK(process.exitcode() == 0);
    }
}

template <class Guard>
void count_under(Guard guarded, mp::RawValue<long> count) {
    for (int i = 0; i < 20'000; ++i) {
        std::scoped_lock guard{guarded};
        const long seen = count.value();
        count.value() = seen + 1; // not atomic: it shows when two are here at once
    }
}

template <class Guard>
long counted_by_three(Guard guarded) {
    mp::RawValue<long> count{0};
    run_all(3, count_under<Guard>, guarded, count);
    return count.value();
}

/// Runs `work` in a thread of its own.
template <class Work>
void elsewhere(Work work) {
    std::thread(work).join();
}

/// Takes the lock in a child, which then dies with it.
template <class Guard>
void lose(const Guard& guarded) {
    mp::Process holder(
        [](Guard held) {
            held.acquire();
            mp::detail::platform::exit_now(7); // as by a kill: nothing is released
        },
        guarded);
    holder.start();
    holder.join();
    CHECK(holder.exitcode() == 7);
}

} // namespace

TEST_CASE("locks, binary semaphores, conditions and values keep others out", "[synchronize]") {
    CHECK(counted_by_three(mp::Lock{}) == 60'000);
    CHECK(counted_by_three(mp::RLock{}) == 60'000);
    CHECK(counted_by_three(mp::Semaphore{1}) == 60'000);
    CHECK(counted_by_three(mp::BoundedSemaphore{1}) == 60'000);
    CHECK(counted_by_three(mp::Condition{}) == 60'000);
    CHECK(counted_by_three(mp::Value<int>{0}) == 60'000);
    CHECK(counted_by_three(mp::Array<int>(3)) == 60'000);
}

TEST_CASE("a lock is taken in all of Python's and the standard library's ways", "[synchronize]") {
    const mp::Lock lock;
    CHECK_FALSE(lock.locked());
    CHECK(lock.acquire());
    CHECK(lock.locked());
    elsewhere([&] {
        CHECK_FALSE(lock.acquire(false));
        CHECK_FALSE(lock.acquire(10ms));
        CHECK_FALSE(lock.acquire(true, 10ms));
        CHECK_FALSE(lock.acquire(-5s));
        CHECK_FALSE(lock.try_lock());
        CHECK_FALSE(lock.try_lock_for(10ms));
        CHECK_FALSE(lock.try_lock_until(std::chrono::system_clock::now() + 10ms));
    });
    lock.release();
    CHECK(lock.acquire(false));
    lock.release();
    CHECK(lock.acquire(std::nullopt));
    lock.release();
    const mp::RLock other;
    { std::scoped_lock both{lock, other}; }
    {
        std::unique_lock guard{lock, 10ms};
        CHECK(guard);
    }
    CHECK_FALSE(lock.locked());
    std::condition_variable_any condition;
    std::unique_lock guard{lock};
    CHECK(condition.wait_for(guard, 1ms) == std::cv_status::timeout);
}

TEST_CASE("a lock belongs to the thread that took it", "[synchronize]") {
    const mp::Lock lock;
    CHECK_THROWS_AS(lock.release(), std::invalid_argument); // nobody's
    lock.acquire();
    elsewhere([&] { CHECK_THROWS_AS(lock.release(), std::logic_error); });
    mp::Process child(
        [](mp::Lock l) {
            try {
                l.release();
            } catch (const std::logic_error&) { std::exit(3); }
        },
        lock);
    child.start();
    child.join();
    CHECK(child.exitcode() == 3);
    CHECK(lock.locked());
    // The holder would wait for itself.
    CHECK_THROWS_AS(lock.acquire(), std::logic_error);
    CHECK_FALSE(lock.acquire(false));
    CHECK_FALSE(lock.acquire(10ms));
    lock.release();
    CHECK_FALSE(lock.locked());
}

TEST_CASE("an RLock is released as often as it was taken", "[synchronize]") {
    const mp::RLock lock;
    for (int i = 0; i < 3; ++i) CHECK(lock.acquire());
    for (int i = 0; i < 3; ++i) {
        elsewhere([&] { CHECK_FALSE(lock.try_lock()); });
        lock.release();
    }
    elsewhere([&] {
        CHECK(lock.try_lock());
        lock.release();
    });
    CHECK_THROWS_AS(lock.release(), std::invalid_argument);
}

TEMPLATE_TEST_CASE("a lock whose holder died goes to the next taker, who sees that", "[synchronize]", mp::Lock,
                   mp::RLock) {
    const ExpectedLog log{"without releasing it"};
    const TestType lock;
    SECTION("who asks without waiting") {
        lose(lock);
        CHECK(lock.locked());
        REQUIRE(lock.try_lock());
    }
    SECTION("who waits") {
        lose(lock);
        REQUIRE(lock.acquire(60s));
    }
    SECTION("who waited already") {
        Tally tally;
        mp::Process holder(
            [](TestType held, Tally t) {
                held.acquire();
                t.add(0, 1);
                t.wait_for(1, 1);
                std::this_thread::sleep_for(50ms); // the other is waiting, or will be: both must work
                mp::detail::platform::exit_now(0);
            },
            lock, tally);
        holder.start();
        tally.wait_for(0, 1);
        tally.add(1, 1);
        REQUIRE(lock.acquire(60s));
    }
    SECTION("a thread's") {
        elsewhere([&] { lock.acquire(); });
        REQUIRE(lock.acquire(60s));
    }
    CHECK(lock.recovered());
    CHECK(log.seen());
    lock.release();
    CHECK_FALSE(lock.recovered());
    lock.acquire();
    CHECK_FALSE(lock.recovered());
    lock.release();
}

#if !defined(_WIN32)
namespace {

namespace platform = mp::detail::platform;

/// What a process cannot ask the system for, from here on.
enum class Blind { no_descriptors, no_proc };

void blind(Blind how, std::optional<support::FewFiles>& files) {
    if (how == Blind::no_descriptors) {
        files.emplace(0);
    } else if (::chdir("/tmp") != 0 || ::chroot("/tmp") != 0) { // where there is no /proc
        platform::exit_now(3);
    }
}

bool is_root() { return ::geteuid() == 0; }

/// Holds the lock, by a name that was asked for while the system said nothing; then dies, or lets go.
void hold_blindly(mp::Lock lock, Tally tally, Blind how, bool dies) {
    std::optional<support::FewFiles> files;
    blind(how, files);
    std::thread([&] {
        lock.acquire();
        files.reset(); // the shortage is over, the name stays
        tally.add(0, 1);
        tally.wait_for(1, 1);
        if (dies) platform::exit_now(0);
        lock.release();
        lock.acquire(); // named anew, if that is possible now
        lock.release();
    }).join();
}

/// The rest of what a copy does that raw system calls made: of it no handler has heard.
template <class Work>
int in_raw_copy(int flags, Work work) {
    const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) ::_exit(work());
    if (pid < 0) return -1;
    siginfo_t info{};
    while (::syscall(SYS_waitid, 1 /* P_PID */, pid, &info, 4 /* WEXITED */, nullptr) < 0) {}
    return info.si_status;
}

} // namespace

TEST_CASE("a holder that was named when the system said nothing keeps its lock", "[synchronize]") {
    const Blind how = GENERATE(Blind::no_descriptors, Blind::no_proc);
    // It takes chroot(); and without /proc LeakSanitizer ends a process with an error of its own.
    if (how == Blind::no_proc && (!is_root() || support::has_asan)) return;
    const bool asker_is_blind = GENERATE(false, true);
    const bool dies = GENERATE(false, true);
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(hold_blindly, lock, tally, how, dies);
    holder.start();
    tally.wait_for(0, 1);
    {
        std::optional<support::FewFiles> files;
        if (asker_is_blind) files.emplace(0);
        CHECK_FALSE(lock.acquire(300ms));
    }
    tally.add(1, 1);
    holder.join();
    CHECK(holder.exitcode() == 0);
    CHECK(lock.acquire(60s)); // that it has ended is known
    CHECK(lock.recovered() == dies);
    lock.release();
}

TEST_CASE("a holder that lives keeps its lock from one that can ask nothing", "[synchronize]") {
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(
        [](mp::Lock held, Tally t) {
            held.acquire();
            t.add(0, 1);
            t.wait_for(1, 1);
            platform::exit_now(0);
        },
        lock, tally);
    holder.start();
    tally.wait_for(0, 1);
    {
        const support::FewFiles none{0};
        bool got = true;
        std::thread([&] { got = lock.acquire(300ms); }).join(); // the asker's own name is not complete
        CHECK_FALSE(got);
    }
    tally.add(1, 1);
    holder.join();
    {
        const support::FewFiles none{0};
        CHECK(lock.acquire(60s)); // without a descriptor it is known, too: there is no such thread
    }
    CHECK(lock.recovered());
    lock.release();
}

TEST_CASE("a thread has its whole name as soon as it holds nothing and the system says it", "[synchronize]") {
    const mp::RLock first;
    const mp::RLock second;
    std::thread([&] {
        std::optional<support::FewFiles> none{0};
        first.acquire();
        CHECK_FALSE(platform::is_complete(mp::detail::this_thread()));
        none.reset();
        second.acquire();
        first.acquire(); // still its own
        first.release();
        first.release();
        CHECK_FALSE(platform::is_complete(mp::detail::this_thread()));
        second.release();
        for (int i = 0; i < 3; ++i) {
            first.acquire();
            first.release();
        }
        CHECK(platform::is_complete(mp::detail::this_thread()));
    }).join();
    CHECK(second.try_lock());
    second.release();
}

TEST_CASE("a copy that a raw clone made does not hold what its parent does", "[synchronize]") {
    const mp::Lock lock;
    const mp::RLock again;
    lock.acquire();
    again.acquire();
    const int status = in_raw_copy(0, [&] {
        if (lock.try_lock() || again.try_lock()) return 1;
        try {
            lock.release();
            return 2;
        } catch (const std::logic_error&) { return 0; }
    });
    CHECK(status == 0);
    again.release();
    lock.release();
}

TEST_CASE("a lock whose holder died in a pid namespace of its own goes on", "[synchronize]") {
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(
        [](mp::Lock held, Tally t) {
            const int status = in_raw_copy(CLONE_NEWPID, [&] {
                held.acquire();
                t.add(0, 1);
                t.wait_for(1, 1);
                return 0; // and dies with it
            });
            if (status != 0) t.add(0, 2); // it takes rights that this user has not
        },
        lock, tally);
    holder.start();
    tally.wait_for(0, 1);
    if (tally.get(0) == 1) {
        CHECK_FALSE(lock.acquire(300ms));
        tally.add(1, 1);
        CHECK(lock.acquire(60s));
        CHECK(lock.recovered());
        lock.release();
    }
    holder.join();
}

TEST_CASE("where threads of the tree cannot be told apart a lock is refused", "[synchronize]") {
    const int flags = GENERATE(CLONE_NEWPID | CLONE_NEWNS, 0x80 /* CLONE_NEWTIME */);
    const mp::Lock lock;
    const mp::Queue<int> queue;
    lock.acquire();
    Tally tally;
    mp::Process sandbox(
        [](mp::Lock held, mp::Queue<int> items, int how) {
            const bool time = how == 0x80;
            if (time && ::unshare(how) != 0) return; // only the next process is in it
            in_raw_copy(time ? 0 : how,
                        [&] {
                            if (!time && (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                                          ::mount("proc", "/proc", "proc", 0, nullptr) != 0))
                                return 0;
                            int refused = 0;
                            try {
                                held.try_lock();
                            } catch (const std::logic_error&) { ++refused; }
                            try {
                                items.put(1);
                            } catch (const std::logic_error&) { ++refused; }
                            if (refused != 2) platform::exit_now(refused + 1);
                            return 0;
                        }) == 0
                ? platform::exit_now(0)
                : platform::exit_now(1);
        },
        lock, queue, flags);
    sandbox.start();
    sandbox.join();
    CHECK(sandbox.exitcode() == 0);
    lock.release();
    CHECK(queue.empty());
}
#endif

TEST_CASE("a semaphore counts, and hands over between processes", "[synchronize]") {
    const mp::Semaphore semaphore{2};
    CHECK(semaphore.get_value() == 2);
    CHECK(semaphore.acquire());
    CHECK(semaphore.acquire(false));
    CHECK(semaphore.locked());
    CHECK_FALSE(semaphore.acquire(false));
    CHECK_FALSE(semaphore.acquire(10ms));
    mp::Process child([](mp::Semaphore s) { s.release(); }, semaphore); // not who acquired it
    child.start();
    CHECK(semaphore.acquire(60s));
    child.join();

    const mp::Semaphore ping{0}, pong{0};
    mp::Process player(
        [](mp::Semaphore in, mp::Semaphore out) {
            for (int i = 0; i < 200; ++i) {
                in.acquire();
                out.release();
            }
        },
        ping, pong);
    player.start();
    for (int i = 0; i < 200; ++i) {
        ping.release();
        REQUIRE(pong.acquire(60s));
    }
    player.join();

    const mp::BoundedSemaphore bounded{1};
    CHECK_THROWS_AS(bounded.release(), std::invalid_argument);
    CHECK(bounded.acquire());
    bounded.release();
    CHECK_THROWS_AS(bounded.release(), std::invalid_argument);
    CHECK(bounded.get_value() == 1);
    CHECK_THROWS_AS(mp::Semaphore{-1}, std::invalid_argument);
    CHECK_THROWS_AS(mp::Semaphore{3'000'000'000u}, std::invalid_argument);
    const mp::Semaphore full{2'147'483'647};
    CHECK_THROWS_AS(full.release(), std::invalid_argument);
}

TEST_CASE("releases of a semaphore let as many go on as wait", "[synchronize]") {
    const mp::Semaphore semaphore{0};
    Tally tally;
    auto waiters = started(
        4,
        [](mp::Semaphore s, Tally t) {
            t.add(0, 1);
            s.acquire();
            t.add(1, 1);
        },
        semaphore, tally);
    tally.wait_for(0, 4);
    std::this_thread::sleep_for(20ms); // most of them sleep by now
    for (int i = 0; i < 4; ++i) semaphore.release();
    tally.wait_for(1, 4);
    for (auto& waiter : waiters) waiter.join();
    CHECK(semaphore.get_value() == 0);
}

TEST_CASE("one set of an event is seen once by who clears it", "[synchronize]") {
    constexpr int turns = 10'000;
    const mp::Event ping, pong;
    const mp::RawValue<int> turn;
    mp::Process player(
        [](mp::Event in, mp::Event out, mp::RawValue<int> now) {
            for (int i = 0; i < turns; ++i) {
                if (!in.wait(60s) || now.value() != i) std::exit(1);
                in.clear();
                out.set();
            }
        },
        ping, pong, turn);
    player.start();
    bool came = true;
    for (int i = 0; i < turns && came; ++i) {
        turn.value() = i;
        ping.set();
        came = pong.wait(60s);
        pong.clear();
    }
    player.join();
    CHECK(came);
    CHECK(player.exitcode() == 0);
}

TEST_CASE("an event lets all go on who wait for it", "[synchronize]") {
    const mp::Event event;
    CHECK_FALSE(event.is_set());
    CHECK_FALSE(event.wait(10ms));
    Tally tally;
    auto waiters = started(
        3,
        [](mp::Event e, Tally t) {
            t.add(0, 1);
            if (e.wait()) t.add(1, 1);
        },
        event, tally);
    tally.wait_for(0, 3);
    CHECK(tally.get(1) == 0);
    event.set();
    tally.wait_for(1, 3);
    for (auto& waiter : waiters) waiter.join();
    CHECK(event.is_set());
    CHECK(event.wait());
    CHECK(event.wait(0s));
    event.clear();
    CHECK_FALSE(event.is_set());

    // One who waits sees a set that is cleared at once.
    std::atomic<bool> waiting{false};
    std::thread waiter([&] {
        waiting = true;
        CHECK(event.wait(60s));
    });
    while (!waiting) std::this_thread::yield();
    std::this_thread::sleep_for(20ms);
    event.set();
    event.clear();
    waiter.join();
}

TEST_CASE("a condition is waited for and notified with its lock held", "[synchronize]") {
    const mp::Condition condition;
    CHECK_THROWS_AS(condition.wait(), std::logic_error);
    CHECK_THROWS_AS(condition.notify(), std::logic_error);
    CHECK_THROWS_AS(condition.notify_all(), std::logic_error);
    const mp::Lock lock;
    const mp::Condition by_lock{lock};
    lock.acquire();
    elsewhere([&] { CHECK_THROWS_AS(by_lock.wait(0s), std::logic_error); });
    CHECK_THROWS_AS(condition.wait(0s), std::logic_error); // that one's lock is another
    CHECK_FALSE(by_lock.wait(10ms));
    CHECK(lock.locked());
    by_lock.notify(); // nobody is there: nothing is kept for later
    CHECK_FALSE(by_lock.wait(10ms));
    lock.release();

    // All levels are given up while it waits.
    const mp::RLock recursive;
    const mp::Condition by_rlock{recursive};
    std::scoped_lock once{recursive};
    std::scoped_lock twice{by_rlock};
    std::thread notifier([&] {
        std::scoped_lock guard{recursive};
        by_rlock.notify();
    });
    CHECK(by_rlock.wait(60s));
    notifier.join();
    elsewhere([&] { CHECK_FALSE(recursive.try_lock()); });
}

TEST_CASE("a notify lets one go on, notify_all everybody", "[synchronize]") {
    const mp::Condition condition;
    Tally tally;
    auto waiters = started(
        4,
        [](mp::Condition c, Tally t) {
            std::scoped_lock guard{c};
            t.add(0, 1);
            if (c.wait()) t.add(1, 1);
        },
        condition, tally);
    tally.wait_for(0, 4);
    const auto notify = [&](int count) {
        std::scoped_lock guard{condition}; // all have given it up: all wait
        condition.notify(count);
    };
    notify(1);
    tally.wait_for(1, 1);
    std::this_thread::sleep_for(150ms); // longer than any sleeps without looking
    CHECK(tally.get(1) == 1);
    notify(2);
    tally.wait_for(1, 3);
    {
        std::scoped_lock guard{condition};
        condition.notify_all();
    }
    tally.wait_for(1, 4);
    for (auto& waiter : waiters) waiter.join();
}

TEST_CASE("wait_for waits until its predicate holds", "[synchronize]") {
    const mp::Condition condition;
    mp::RawValue<int> value{0};
    mp::Process counter(
        [](mp::Condition c, mp::RawValue<int> v) {
            for (int i = 0; i < 10; ++i) {
                std::scoped_lock guard{c};
                ++v.value();
                c.notify_all();
            }
        },
        condition, value);
    counter.start();
    {
        std::scoped_lock guard{condition};
        CHECK(condition.wait_for([&] { return value.value() == 10; }, 60s));
        CHECK_FALSE(condition.wait_for([&] { return value.value() == 11; }, 20ms));
    }
    counter.join();
}

TEST_CASE("a waiter that was killed takes no notify from the others", "[synchronize]") {
    const mp::Condition condition;
    Tally tally;
    const auto wait = [](mp::Condition c, Tally t, int index) {
        std::scoped_lock guard{c};
        t.add(0, 1);
        if (c.wait()) t.add(index, 1);
    };
    mp::Process doomed(wait, condition, tally, 1);
    doomed.start();
    tally.wait_for(0, 1);
    mp::Process other(wait, condition, tally, 2);
    other.start();
    tally.wait_for(0, 2);
    { std::scoped_lock guard{condition}; } // both wait
    doomed.kill();
    doomed.join();
    {
        std::scoped_lock guard{condition};
        condition.notify();
    }
    tally.wait_for(2, 1);
    other.join();
    CHECK(tally.get(1) == 0);
}

TEST_CASE("a barrier lets go on when all have come, again and again", "[synchronize]") {
    const mp::Barrier barrier{3};
    CHECK(barrier.parties() == 3);
    CHECK(barrier.n_waiting() == 0);
    Tally tally;
    const auto work = [](mp::Barrier b, Tally t) {
        for (int round = 0; round < 50; ++round) {
            t.add(1, 1);
            const int rank = b.wait(60s);
            if (t.get(1) < 3 * (round + 1)) t.add(2, 1); // somebody had not come
            t.add(10 + rank, 1);
            b.wait(60s);
        }
    };
    run_all(3, work, barrier, tally);
    CHECK(tally.get(2) == 0);
    for (int rank = 0; rank < 3; ++rank) CHECK(tally.get(10 + rank) == 50);
}

namespace {

struct CountUp {
    mp::StartMethod unused = mp::StartMethod::spawn; // a state that crosses
    int operator()() const { throw std::range_error("the action failed"); }
};

void print_nothing() {}

} // namespace

TEST_CASE("the last to come runs the action, whose failure breaks the barrier", "[synchronize]") {
    const mp::Barrier quiet{2, print_nothing};
    mp::Process other([](mp::Barrier b) { b.wait(60s); }, quiet);
    other.start();
    CHECK(quiet.wait(60s) >= 0);
    other.join();
    CHECK(other.exitcode() == 0);

    const mp::Barrier failing({.timeout = 60s}, 2, CountUp{});
    mp::Process party(
        [](mp::Barrier b) {
            try {
                b.wait();
            } catch (const mp::BrokenBarrierError&) { std::exit(2); } catch (const std::range_error&) {
                std::exit(3);
            }
        },
        failing);
    party.start();
    int code = 0;
    try {
        failing.wait();
    } catch (const mp::BrokenBarrierError&) { code = 2; } catch (const std::range_error&) {
        code = 3;
    }
    party.join();
    CHECK(code + party.exitcode().value() == 5); // one ran it, the other was told
    CHECK(failing.broken());
    CHECK_THROWS_AS(failing.wait(), mp::BrokenBarrierError);
    failing.reset();
    CHECK_FALSE(failing.broken());
}

TEST_CASE("a barrier is broken by a timeout or abort, and freed by reset", "[synchronize]") {
    const mp::Barrier barrier({.timeout = 20ms}, 2);
    CHECK_THROWS_AS(barrier.wait(), mp::BrokenBarrierError);
    CHECK(barrier.broken());
    CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError);
    barrier.reset();
    const auto waiting = [&](auto then) {
        std::thread waiter([&] { CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError); });
        while (barrier.n_waiting() == 0) std::this_thread::yield();
        then();
        waiter.join();
    };
    waiting([&] { barrier.reset(); });
    CHECK_FALSE(barrier.broken());
    waiting([&] { barrier.abort(); });
    CHECK(barrier.broken());
    CHECK_THROWS_AS(mp::Barrier{0}, std::invalid_argument);
    CHECK_THROWS_AS(mp::Barrier{70'000}, std::invalid_argument);
    mp::Barrier alone{1};
    CHECK(alone.wait() == 0);
}

TEST_CASE("a barrier whose action dies with its process is broken", "[synchronize]") {
    const mp::Barrier barrier{2, [] { mp::detail::platform::exit_now(9); }};
    Tally tally;
    mp::Process dies(
        [](mp::Barrier b, Tally t) {
            t.wait_for(0, 1);
            b.wait(60s);
        },
        barrier, tally);
    dies.start();
    std::thread opener([&] {
        while (barrier.n_waiting() == 0) std::this_thread::yield();
        tally.add(0, 1);
    });
    CHECK_THROWS_AS(barrier.wait(60s), mp::BrokenBarrierError);
    opener.join();
    dies.join();
    CHECK(dies.exitcode() == 9);
}

namespace {

struct Bag {
    std::optional<mp::Lock> lock;
    std::vector<mp::Semaphore> semaphores;
    mp::Condition condition;
};

} // namespace

TEST_CASE("they travel inside structures and down to grandchildren", "[synchronize]") {
    Bag bag{mp::Lock{}, {mp::Semaphore{0}, mp::Semaphore{0}}, mp::Condition{}};
    bag.lock->acquire();
    mp::Process child(
        [](const Bag& given) {
            mp::Process grandchild(
                [](const Bag& inner) {
                    if (inner.lock->try_lock()) std::exit(1);
                    inner.semaphores[1].release();
                },
                given);
            grandchild.start();
            given.semaphores[0].release();
            grandchild.join();
            std::exit(grandchild.exitcode().value());
        },
        bag);
    child.start();
    CHECK(bag.semaphores[0].acquire(60s));
    CHECK(bag.semaphores[1].acquire(60s));
    child.join();
    CHECK(child.exitcode() == 0);
    bag.lock->release();
}

TEST_CASE("a hundred thousand locks exist at once", "[synchronize]") {
    std::vector<mp::Lock> locks(100'000);
    for (const auto& lock : locks) lock.acquire();
    for (const auto& lock : locks) lock.release();
}
