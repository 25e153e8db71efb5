// SPDX-License-Identifier: BSL-1.0
// Processes are killed at random instants while they use locks, conditions, semaphores and barriers.
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

/// What a lock protects: increments in two steps, and who is inside.
struct Protected {
    std::atomic<long> first;
    std::atomic<long> second;
    std::atomic<int> inside;
};

struct Counts {
    Protected by_lock;
    Protected by_rlock;
    std::atomic<long> items;           // under the condition
    std::atomic<long> taken, passed;   // progress of consumers, and at the barrier
    std::atomic<long> broken;          // barriers that lost a party
    std::atomic<long> intruders, torn; // must stay 0
    std::atomic<long> recovered;
    std::atomic<bool> stop;
};

struct Stage {
    mp::Lock lock;
    mp::RLock rlock;
    mp::Condition condition;
    mp::Semaphore semaphore{2};
    mp::Barrier barrier{2};

    template <class Archive>
    void serialize(Archive& ar) {
        ar(lock, rlock, condition, semaphore, barrier);
    }
};

template <class Guard>
void increment(const Guard& lock, Protected& state, Counts& counts) {
    lock.acquire();
    if (state.inside.exchange(1) != 0) {
        // Somebody is here, or died here: then it must have been said.
        if (lock.recovered()) {
            ++counts.recovered;
            state.second = state.first.load(); // what the dead one left half done
        } else {
            ++counts.intruders;
        }
    }
    if (state.first != state.second) ++counts.torn;
    state.first.store(state.first.load() + 1);
    support::linger(5);
    state.second.store(state.second.load() + 1);
    state.inside = 0;
    lock.release();
}

using Room = mp::RawArray<char>;

Counts& counts_in(const Room& room) { return *reinterpret_cast<Counts*>(const_cast<char*>(room.data())); }

void work(const Stage& stage, const Room& room, unsigned seed) {
    support::Random random{seed};
    Counts& counts = counts_in(room);
    while (!counts.stop) {
        switch (random.below(12)) {
        case 0: {
            std::scoped_lock outer{stage.rlock};
            increment(stage.rlock, counts.by_rlock, counts);
            break;
        }
        case 1: {
            std::scoped_lock guard{stage.condition};
            ++counts.items;
            stage.condition.notify();
            break;
        }
        case 2: {
            std::scoped_lock guard{stage.condition};
            if (stage.condition.wait_for([&] { return counts.items > 0 || counts.stop; }, 1ms) &&
                counts.items > 0) {
                --counts.items;
                ++counts.taken;
            }
            break;
        }
        case 3:
            // What a dead one had acquired is gone: somebody must put it back some time. Here each does when it seems so.
            if (stage.semaphore.acquire(1ms) || stage.semaphore.get_value() == 0) stage.semaphore.release();
            break;
        case 4:
            try {
                stage.barrier.wait(1ms);
                ++counts.passed;
            } catch (const mp::BrokenBarrierError&) {
                ++counts.broken;
                stage.barrier.reset();
            }
            break;
        default: increment(stage.lock, counts.by_lock, counts); break;
        }
    }
}

} // namespace

TEST_CASE("processes are killed at any instant in locks, conditions and barriers: the others go on",
          "[synchronize]") {
    mp::get_logger().set_level(mp::LogLevel::error); // of recoveries there are hundreds
    const Stage stage;
    const Room room(sizeof(Counts));
    const Counts& counts = counts_in(room);

    support::Random random{31};
    std::vector<mp::Process> members;
    const auto start = [&] {
        mp::Process member(work, stage, room, unsigned{random()});
        member.start();
        return member;
    };
    for (int i = 0; i < 4; ++i) members.push_back(start());
    const int wanted = support::kills(1000);
    int kills = 0;
    // Of few kills perhaps none hits a lock.
    for (; kills < wanted || (counts.recovered == 0 && kills < 20 * wanted); ++kills) {
        if (support::platform::can_fork) {
            support::linger(random.below(3000));
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds{random.below(60)}); // till they are at work
        }
        mp::Process& victim = members[random.below(members.size())];
        victim.kill();
        victim.join();
        victim = start();
    }
    counts_in(room).stop = true;
    for (mp::Process& member : members) {
        member.join(); // nobody waits for a dead one: the watchdog would object
        CHECK(member.exitcode() == 0);
    }
    mp::get_logger().set_level(mp::LogLevel::warning);
    INFO(kills << " kills: " << counts.recovered << " locks recovered, " << counts.by_lock.first << " and "
               << counts.by_rlock.first << " increments, " << counts.taken << " items taken, " << counts.passed
               << " barriers passed, " << counts.broken << " broken");
    CHECK(counts.intruders == 0);
    CHECK(counts.torn == 0);
    CHECK(counts.by_lock.first > kills);
    CHECK(counts.by_rlock.first > kills);
    CHECK(counts.taken > 0);
    CHECK(counts.passed > 0);
    CHECK(counts.recovered > 0);
    // The locks are as good as new.
    CHECK(stage.lock.acquire(60s));
    stage.lock.release();
    CHECK(stage.rlock.acquire(60s));
    stage.rlock.release();
}
