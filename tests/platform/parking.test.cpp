// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/parking.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

using namespace contracts;
namespace bip = boost::interprocess;

namespace {

struct SharedWords {
    platform::MemoryObject object{65536};
    bip::mapped_region region{object, bip::read_write, 0, 65536};
    platform::ParkingKey key{
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()), 0xFEED};
    platform::Word* words =
        (platform::commit(region.get_address(), 65536), static_cast<platform::Word*>(region.get_address()));
    platform::Parking parking{region.get_address(), key};
};

} // namespace

TEST_CASE("nobody sleeps on a word that has changed already", "[parking]") {
    SharedWords shared;
    shared.words[0] = 1;
    shared.parking.sleep(shared.words[0], 0, 60s); // the watchdog would object
    SUCCEED();
}

TEST_CASE("a sleep ends by its time limit", "[parking]") {
    SharedWords shared;
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 30ms) shared.parking.sleep(shared.words[0], 0, 30ms);
    SUCCEED();
}

TEST_CASE("a wake without a sleeper does no harm", "[parking]") {
    SharedWords shared;
    shared.parking.wake_one(shared.words[0]);
    shared.parking.wake_all(shared.words[0]);
    shared.parking.sleep(shared.words[0], 0, 1ms);
    SUCCEED();
}

TEST_CASE("a sleeper in another process is woken, and wakes", "[parking]") {
    SharedWords shared;
    constexpr std::uint32_t rounds = 200;
    auto request = child_program({"park"});
    request.argument(request.pass(shared.object.handle()));
    for (const auto part : shared.key) request.argument(std::to_string(part));
    request.argument(std::to_string(rounds));
    auto child = platform::spawn(request);
    for (std::uint32_t round = 0; round < rounds; ++round) {
        shared.words[0].store(round + 1);
        shared.parking.wake_one(shared.words[0]);
        while (shared.words[64].load() == round) shared.parking.sleep(shared.words[64], round, 10s);
    }
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("one wake for all reaches every sleeper", "[parking]") {
    SharedWords shared;
    std::atomic<int> awake{0};
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 8; ++i) {
        sleepers.emplace_back([&] {
            while (shared.words[0].load() == 0) shared.parking.sleep(shared.words[0], 0, 60s);
            ++awake;
        });
    }
    std::this_thread::sleep_for(20ms); // most of them sleep by now; a late one sees the word
    shared.words[0] = 1;
    shared.parking.wake_all(shared.words[0]);
    for (auto& sleeper : sleepers) sleeper.join();
    CHECK(awake == 8);
}

TEST_CASE("there is a current processor", "[parking]") {
    CHECK(platform::current_processor() < 100'000);
    platform::pause();
}
