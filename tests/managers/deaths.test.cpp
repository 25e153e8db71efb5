// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <support/killer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace process;

namespace {

/// Has more than one step, between which nobody else may come.
class Ledger {
public:
    void pay(int from, int to, int amount) {
        balances_.at(static_cast<std::size_t>(from)) -= amount;
        if (amount % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds{100});
        balances_.at(static_cast<std::size_t>(to)) += amount;
    }
    long sum() const {
        long sum = 0;
        for (const long balance : balances_) sum += balance;
        return sum;
    }

private:
    std::vector<long> balances_ = std::vector<long>(16);
};
using LedgerProxy = mp::managers::Proxy<Ledger>;
using Numbers = mp::managers::DictProxy<int, int>;
using Nested = mp::managers::DictProxy<int, Numbers>;

/// What clients wait for each other by.
struct Meeting {
    mp::managers::LockProxy lock;
    mp::managers::ValueProxy<int> inside; // by its holder alone
    mp::managers::QueueProxy<int> queue;
    mp::managers::ConditionProxy condition;
    mp::managers::SemaphoreProxy semaphore;
};

/// Uses everything, forever. What only this client writes has to be as it wrote it: nothing of a
/// killed predecessor may come later.
void use_all(int me, Numbers own, Numbers wrong, LedgerProxy ledger, Nested nested, Meeting meeting,
             unsigned seed) {
    support::Random random(seed);
    int last = own.get(me, 0);
    for (int turn = 0;; ++turn) {
        if (own.get(me, 0) != last) wrong[0] += 1;
        own[me] = ++last;
        if ((own[me] += 1) != ++last) wrong[0] += 1;
        ledger.call<&Ledger::pay>(me, static_cast<int>(random.below(16)), static_cast<int>(random.below(1000)));
        if (ledger.call<&Ledger::sum>() != 0) wrong[0] += 1;
        switch (random.below(12)) {
        case 0: // a message in pieces
            nested.at(0).update(std::vector<std::pair<int, int>>(2000, {me, turn}));
            break;
        case 1: nested.erase(1 + static_cast<int>(random.below(3))); break;
        case 2: nested.set(1 + static_cast<int>(random.below(3)), own); break;
        case 3: nested.items(); break;
        case 4: {
            const std::scoped_lock guard{meeting.lock};
            meeting.inside.set(me);
            if (random.below(4) == 0) std::this_thread::sleep_for(std::chrono::microseconds{200});
            if (meeting.inside.get() != me) wrong[0] += 1;
            break;
        }
        case 5: meeting.queue.put(me); break;
        case 6: try { meeting.queue.get(2ms);
            } catch (const mp::Empty&) {}
            break;
        case 7: {
            const std::scoped_lock guard{meeting.condition};
            meeting.condition.notify();
            meeting.condition.wait(1ms);
            break;
        }
        case 8:
            if (meeting.semaphore.acquire(2ms)) meeting.semaphore.release();
            break;
        default: break;
        }
    }
}

} // namespace

TEST_CASE("clients killed at random disturb nobody and leave nothing", "[managers]") {
    auto manager = mp::Manager();
    const std::size_t nothing = manager.number_of_objects();
    const int kills = support::rounds(150);
    {
        auto own = manager.dict<int, int>();
        auto wrong = manager.dict<int, int>({{0, 0}});
        auto ledger = manager.create<Ledger>();
        auto nested = manager.dict<int, Numbers>();
        nested.set(0, manager.dict<int, int>());
        const Meeting meeting{manager.Lock(), manager.Value<int>(0), manager.Queue<int>(), manager.Condition(),
                              manager.Semaphore(1000)};
        const std::size_t all = manager.number_of_objects();
        support::Random random(4711);
        std::vector<mp::Process> clients;
        const auto begin = [&](int me) {
            mp::Process client(mp::ProcessOptions{.daemon = true}, use_all, me, own, wrong, ledger, nested,
                               meeting, random());
            client.start();
            return client;
        };
        constexpr int count = 4;
        for (int i = 0; i < count; ++i) clients.push_back(begin(i));
        for (int i = 0; i < kills; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds{random.below(8000)});
            const auto victim = random.below(count);
            clients[victim].kill();
            clients[victim].join();
            clients[victim] = begin(static_cast<int>(victim));
            if (i % 16 == 0) own[100] = i; // this client is served meanwhile
        }
        for (auto& client : clients) {
            CHECK(client.is_alive());
            client.kill();
            client.join();
        }
        CHECK(wrong[0] == 0);
        CHECK(ledger.call<&Ledger::sum>() == 0);
        CHECK(meeting.lock.acquire(30s)); // whoever held it
        CHECK(meeting.condition.acquire(30s));
        nested.clear();
        CHECK(soon([&] { return manager.number_of_objects() <= all; }));
    }
    CHECK(soon([&] { return manager.number_of_objects() == nothing; }));
}

TEST_CASE("a server killed at random ends every call with an error", "[managers]") {
    for (int i = 0; i < support::rounds(10); ++i) {
        auto manager = mp::Manager();
        auto own = manager.dict<int, int>();
        auto wrong = manager.dict<int, int>({{0, 0}});
        auto ledger = manager.create<Ledger>();
        auto nested = manager.dict<int, Numbers>();
        nested.set(0, manager.dict<int, int>());
        const Meeting meeting{manager.Lock(), manager.Value<int>(0), manager.Queue<int>(), manager.Condition(),
                              manager.Semaphore(1000)};
        auto clients = started_clients(
            3,
            [](Numbers a, Numbers b, LedgerProxy c, Nested d, Meeting e, unsigned seed) {
                try {
                    use_all(static_cast<int>(seed % 3), a, b, c, d, e, seed);
                } catch (const mp::EOFError&) { std::exit(3); }
            },
            own, wrong, ledger, nested, meeting, static_cast<unsigned>(i));
        std::this_thread::sleep_for(std::chrono::milliseconds{10 + 7 * (i % 10)});
        for (const auto& view : mp::active_children()) {
            if (view.pid() == manager.pid()) view.kill();
        }
        for (auto& client : clients) {
            CHECK(client.join(60s));
            const int code = client.exitcode().value_or(0);
            CHECK((code == 3 || code == 1)); // 1: while it took its arguments
        }
        CHECK_THROWS_AS(own.size(), mp::EOFError);
    }
}

TEST_CASE("clients of a lost server hear that it was lost, though its manager is gone", "[managers]") {
    const auto numbers = [] {
        auto manager = mp::Manager();
        auto made = manager.dict<int, int>();
        for (auto& view : mp::active_children()) {
            if (view.pid() != manager.pid()) continue;
            view.kill();
            view.join();
        }
        return made;
    }();
    CHECK_THROWS_AS(numbers.size(), mp::EOFError);
}
