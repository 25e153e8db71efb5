// SPDX-License-Identifier: BSL-1.0
// cancel() and kill() of tasks and maps, join() with a timeout, and options that are not there yet.
#include <support/eventually.hpp>
#include <support/inputs.hpp>

#include <support/killer.hpp>

#include <multiprocessing/pool.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

/// Says that it has begun, waits, and returns its process id.
struct Waits {
    mp::Event go;
    Tally tally;
    int operator()(int index) const {
        tally.add(index, 1);
        go.wait();
        tally.add(index + 32, 1);
        return mp::current_process().pid();
    }
};

int own_pid() { return mp::current_process().pid(); }

std::set<int> children() {
    std::set<int> pids;
    for (const auto& child : mp::active_children()) pids.insert(child.pid());
    return pids;
}

} // namespace

TEST_CASE("cancel takes back a task that waits, and it never runs", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto running = pool.apply_async(waits, 0);
    const auto waiting = pool.apply_async(waits, 1);
    const auto last = pool.apply_async(waits, 2);
    waits.tally.wait_for(0, 1);
    CHECK(waiting.cancel());
    CHECK(waiting.ready());
    CHECK(waiting.wait(0s));
    CHECK_FALSE(waiting.successful());
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    CHECK_THROWS_AS(waiting.get(0s), mp::CancelledError);
    CHECK_FALSE(running.cancel());
    CHECK_FALSE(running.ready());
    waits.go.set();
    CHECK(last.get() == running.get());
    CHECK(waits.tally.get(1) == 0);
    CHECK_FALSE(running.cancel());
    CHECK_FALSE(running.kill());
    CHECK_FALSE(last.cancel()); // also one whose result was not looked at before
    CHECK(last.successful());
}

TEST_CASE("threads that wait for a task see that it is cancelled", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto running = pool.apply_async(waits, 0);
    const auto waiting = pool.apply_async(waits, 1);
    const auto map = pool.map_async(waits, {2, 3});
    std::atomic<int> cancelled{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&, i] {
                try {
                    if (i % 2) {
                        waiting.get();
                    } else {
                        map.get();
                    }
                } catch (const mp::CancelledError&) { ++cancelled; }
            });
        }
        CHECK(waiting.cancel());
        CHECK(map.cancel());
    }
    CHECK(cancelled == 4);
    waits.go.set();
    running.wait();
}

TEST_CASE("callbacks of what is cancelled or killed get CancelledError", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    std::atomic<int> cancelled{0};
    std::atomic<int> others{0};
    const auto note = [&](const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const mp::CancelledError&) { ++cancelled; } catch (...) {
            ++others;
        }
    };
    const auto running = pool.apply_async(waits, 0);
    const auto waiting = pool.apply_async(waits, 1);
    const auto map = pool.map_async(waits, {2, 3});
    running.then([&](int) { ++others; }, note);
    waiting.then([&](int) { ++others; }, note);
    map.then([&](const std::vector<int>&) { ++others; }, note);
    waits.tally.wait_for(0, 1);
    CHECK(waiting.cancel());
    CHECK(map.kill());
    CHECK(running.kill());
    pool.close();
    pool.join();
    CHECK(cancelled == 3);
    CHECK(others == 0);
}

TEST_CASE("kill ends a task's worker, and no neighbour", "[pool]") {
    mp::Pool pool(2);
    const Waits waits{};
    const Waits neighbour{};
    const auto killed = pool.apply_async(waits, 0);
    const auto spared = pool.apply_async(neighbour, 0);
    waits.tally.wait_for(0, 1);
    neighbour.tally.wait_for(0, 1);
    const std::set<int> before = children();
    CHECK(killed.kill());
    CHECK_THROWS_AS(killed.get(), mp::CancelledError);
    CHECK_FALSE(killed.kill());
    CHECK_FALSE(killed.cancel());
    CHECK(pool.apply(own_pid) > 0); // by a replacement
    neighbour.go.set();
    const int pid = spared.get();
    CHECK(before.count(pid) == 1);
    CHECK(support::comes_to_have_children(2));
    const std::set<int> after = children();
    CHECK(after.count(pid) == 1);
    CHECK(after != before);
    CHECK(waits.tally.get(32) == 0);
    CHECK(neighbour.tally.get(32) == 1);
}

TEST_CASE("kill of a task that waits takes it back, and ends nobody", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto running = pool.apply_async(waits, 0);
    const auto waiting = pool.apply_async(waits, 1);
    waits.tally.wait_for(0, 1);
    const std::set<int> before = children();
    CHECK(waiting.kill());
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    waits.go.set();
    CHECK(before == std::set<int>{running.get()});
    CHECK(children() == before);
    CHECK(waits.tally.get(1) == 0);
}

TEST_CASE("kill of a map ends the workers at its items alone", "[pool]") {
    mp::Pool pool(3);
    const Waits neighbour{};
    const Waits waits{};
    const auto spared = pool.apply_async(neighbour, 0);
    neighbour.tally.wait_for(0, 1);
    const auto map = pool.map_async(waits, {0, 1, 2, 3, 4, 5}, {.chunksize = 1});
    waits.tally.wait_for(0, 1);
    waits.tally.wait_for(1, 1);
    CHECK_FALSE(map.cancel());
    CHECK_FALSE(map.ready());
    CHECK(map.kill());
    CHECK_THROWS_AS(map.get(), mp::CancelledError);
    CHECK_FALSE(map.kill());
    CHECK(pool.map(identity, std::views::iota(0, 100)).size() == 100);
    neighbour.go.set();
    CHECK(spared.get() > 0);
    for (int item = 2; item < 6; ++item) CHECK(waits.tally.get(item) == 0);
    CHECK(support::comes_to_have_children(3));
}

TEST_CASE("cancel takes back a map of which no item has begun", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto running = pool.apply_async(waits, 0);
    const auto map = pool.map_async(waits, {1, 2, 3});
    const auto texts = pool.map_async([](const std::string& text) { return text; }, {"a", "b"});
    waits.tally.wait_for(0, 1);
    CHECK(map.cancel());
    CHECK(texts.cancel());
    CHECK_THROWS_AS(map.get(), mp::CancelledError);
    CHECK_THROWS_AS(texts.get(), mp::CancelledError);
    CHECK_FALSE(map.cancel());
    waits.go.set();
    running.wait();
    CHECK(pool.map(identity, {1, 2}) == std::vector{1, 2});
    for (int item = 1; item < 4; ++item) CHECK(waits.tally.get(item) == 0);
}

TEST_CASE("cancel changes nothing of a map that has begun", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto map = pool.map_async(waits, {0, 1, 2}, {.chunksize = 1});
    waits.tally.wait_for(0, 1);
    CHECK_FALSE(map.cancel());
    waits.go.set();
    CHECK(map.get().size() == 3);
    CHECK_FALSE(map.cancel());
    CHECK_FALSE(pool.map_async(identity, std::vector<int>{}).cancel());
    CHECK_FALSE(pool.map_async(identity, std::vector<int>{}).kill());
}

TEST_CASE("a task is either cancelled or run, whenever that is asked", "[pool]") {
    mp::Pool pool(2);
    mp::Array<int> runs(3000);
    int wrong = 0;
    int cancelled = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto result = pool.apply_async(
            [](mp::Array<int> counts, std::size_t at) {
                counts[at] += 1;
                return at;
            },
            runs, i);
        support::linger(static_cast<unsigned>(i % 40));
        const bool taken_back = result.cancel();
        cancelled += taken_back;
        try {
            wrong += result.get() != i || taken_back;
            wrong += runs[i] != 1;
        } catch (const mp::CancelledError&) { wrong += !taken_back || runs[i] != 0; }
    }
    INFO(cancelled << " were cancelled");
    CHECK(wrong == 0);
}

TEST_CASE("a map is either cancelled or run, whenever that is asked", "[pool]") {
    mp::Pool pool(2);
    int wrong = 0;
    for (int i = 0; i < 1000; ++i) {
        mp::RawArray<int> runs(8);
        const auto result = pool.map_async(
            [](const std::pair<mp::RawArray<int>, int>& item) {
                mp::RawArray<int> counts = item.first;
                counts[static_cast<std::size_t>(item.second)] += 1;
                return item.second;
            },
            std::views::iota(0, 8) | std::views::transform([&](int x) { return std::pair(runs, x); }));
        support::linger(static_cast<unsigned>(i % 40));
        const bool taken_back = result.cancel();
        try {
            wrong += result.get().size() != 8 || taken_back;
            wrong += std::ranges::count(runs, 1) != 8;
        } catch (const mp::CancelledError&) { wrong += !taken_back || std::ranges::count(runs, 0) != 8; }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a task is either killed or has its result, whenever that is asked", "[pool]") {
    mp::Pool pool(2);
    int wrong = 0;
    int kills = 0;
    const auto count = static_cast<unsigned>(support::kills(150));
    for (unsigned i = 0; i < count; ++i) {
        const auto lingers = [](unsigned x) {
            support::linger(x);
            return x;
        };
        const auto result = pool.apply_async(lingers, 200 + i);
        const auto other = pool.apply_async(lingers, i);
        support::linger(i * 7 % 400);
        const bool killed = result.kill();
        kills += killed;
        try {
            wrong += result.get() != 200 + i || killed;
        } catch (const mp::CancelledError&) { wrong += !killed; }
        wrong += other.get() != i;
    }
    INFO(kills << " were killed");
    CHECK(wrong == 0);
    CHECK(pool.map(identity, {1, 2, 3}) == std::vector{1, 2, 3});
}

TEST_CASE("a task that is killed while its pool is closed ends the pool", "[pool]") {
    mp::Pool pool(1);
    const Waits waits{};
    const auto running = pool.apply_async(waits, 0);
    const auto behind = pool.apply_async(own_pid);
    waits.tally.wait_for(0, 1);
    pool.close();
    CHECK(running.kill());
    pool.join();
    CHECK_THROWS_AS(running.get(), mp::CancelledError);
    CHECK(behind.get() > 0);
}

TEST_CASE("join with a timeout says whether the pool has ended", "[pool]") {
    mp::Pool pool(2);
    const Waits waits{};
    const auto result = pool.apply_async(waits, 0);
    CHECK_THROWS_AS(pool.join(0s), std::invalid_argument);
    waits.tally.wait_for(0, 1);
    pool.close();
    CHECK_FALSE(pool.join(0s));
    CHECK_FALSE(pool.join(20ms));
    CHECK_FALSE(result.ready()); // nothing has changed
    waits.go.set();
    CHECK(pool.join(60s));
    CHECK(pool.join(0s));
    CHECK(result.get() > 0);
    CHECK(mp::active_children().empty());
}

TEST_CASE("join with a timeout that has passed leaves terminate to end it", "[pool]") {
    mp::Pool pool(2);
    const Waits waits{};
    const auto result = pool.apply_async(waits, 0);
    waits.tally.wait_for(0, 1);
    pool.close();
    CHECK_FALSE(pool.join(10ms));
    pool.terminate();
    CHECK(pool.join(60s));
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    CHECK(mp::active_children().empty());
}

TEST_CASE("an option that is not there yet is refused", "[pool]") {
    mp::Pool pool(1);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .trace = "trace.json"}), std::logic_error);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .capture_output = true}), std::logic_error);
    CHECK(mp::active_children().size() == 1);
}

TEST_CASE("an option that says what is so anyway is taken", "[pool]") {
    mp::Pool pool({.processes = 1, .timeout = mp::no_timeout, .retries = 0, .capture_output = false});
    const mp::TaskOptions options{.timeout = mp::no_timeout, .retries = 0, .priority = mp::Priority::normal};
    CHECK(pool.apply_async(options, identity, 1).get() == 1);
    CHECK(pool.map(identity, {1}, {.timeout = mp::no_timeout, .retries = 0}) == std::vector{1});
    CHECK(pool.imap(identity, {1}, {.timeout = mp::no_timeout, .retries = 0}).next() == 1);
}
