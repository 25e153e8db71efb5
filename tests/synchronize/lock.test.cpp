// SPDX-License-Identifier: BSL-1.0
#include <synchronize/support.hpp>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace process;

namespace {

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

TEMPLATE_TEST_CASE("a lock whose holder died goes to the next source, who sees that", "[synchronize]", mp::Lock,
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

TEST_CASE("a hundred thousand locks exist at once", "[synchronize]") {
    std::vector<mp::Lock> locks(100'000);
    for (const auto& lock : locks) lock.acquire();
    for (const auto& lock : locks) lock.release();
}
