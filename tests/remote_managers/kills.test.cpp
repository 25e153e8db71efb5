// SPDX-License-Identifier: BSL-1.0
#include <remote_managers/support.hpp>
#include <support/killer.hpp>

#include <multiprocessing/sharedctypes.hpp>

#include <chrono>
#include <map>
#include <string>
#include <thread>

using namespace process;

namespace {

/// Calls until it is killed; notes in `confirmed` what the server has answered to.
void call_forever(const Address& there, const std::string& name, const mp::Value<int>& confirmed) {
    auto client = connected_to(there);
    auto map = client.object<std::map<std::string, int>>("map");
    auto lock = client.object<mp::Lock>("lock");
    auto jobs = client.object<mp::Queue<std::string>>("jobs");
    for (int i = 0;; ++i) {
        auto counter = client.create<Counter>("counter", i); // an object, and a reference of it
        lock.acquire();
        map[name] = i;
        confirmed.value() = i;
        lock.release();
        jobs.put(std::string(1000, 'x'));
        jobs.get();
        counter.call<&Counter::add>(1);
    }
}

} // namespace

// MP_STRESS=1000 kills a thousand.
TEST_CASE("remote clients killed in mid-call leave nothing behind", "[remote_managers]") {
    auto server = started_server({.address = Address{"127.0.0.1", 0}});
    const std::size_t before = server.number_of_objects();
    auto near = server.object<std::map<std::string, int>>("map");
    support::Random random(7);
    int wrong = 0;
    const int kills = support::kills(100);
    for (int i = 0; i < kills; ++i) {
        const std::string name = "client " + std::to_string(i);
        const mp::Value<int> confirmed(-1);
        mp::Process child(&call_forever, server.address(), name, confirmed);
        child.start();
        REQUIRE(soon([&] { return confirmed.value() >= 0; }));
        std::this_thread::sleep_for(std::chrono::microseconds{random.below(3000)});
        child.kill();
        child.join();
        const int last = near.at(name); // a call that was under way may have come through
        if (last != confirmed.value() && last != confirmed.value() + 1) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(near.size() == static_cast<std::size_t>(kills));
    CHECK(soon([&] { return server.number_of_objects() == before; }));
    auto client = connected_to(server.address());
    auto lock = client.object<mp::Lock>("lock");
    CHECK(lock.acquire(20s)); // its last holder may have been killed
    lock.release();
    CHECK(client.create<Counter>("counter", 5).call<&Counter::add>(2) == 7);
}
