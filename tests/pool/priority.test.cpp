// SPDX-License-Identifier: BSL-1.0
// Priorities: higher work goes first, also between the chunks of a map; lower work does not starve.
#include <support/inputs.hpp>

#include <support/tally.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

const mp::TaskOptions high{.priority = mp::Priority::high};
const mp::TaskOptions normal{};
const mp::TaskOptions low{.priority = mp::Priority::low};

std::vector<int> numbers(int count) {
    std::vector<int> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
    return result;
}

/// Returns when it ran: the how-manieth of all.
int stamp(const Tally& order) { return static_cast<int>(order.add(0, 1)); }

/// The same, of an item; the first says that it has begun, and waits.
struct StampedItem {
    Tally order;
    mp::Event go;
    int operator()(int x) const {
        if (x == 0) {
            order.add(1, 1);
            go.wait();
        }
        return stamp(order);
    }
};

/// Holds up the only worker of a pool until it is told.
int hold(const Tally& tally, const mp::Event& go) {
    tally.add(1, 1);
    go.wait();
    return 0;
}

} // namespace

TEST_CASE("higher work that waits goes first", "[pool]") {
    mp::Pool pool(1);
    const Tally order;
    const mp::Event go;
    auto held = pool.apply_async(hold, order, go);
    order.wait_for(1, 1);
    auto last = pool.apply_async(low, stamp, order);
    auto second = pool.apply_async(normal, stamp, order);
    auto third = pool.apply_async(stamp, order);
    auto first = pool.apply_async(high, stamp, order);
    go.set();
    CHECK(first.get() == 1);
    CHECK(second.get() == 2);
    CHECK(third.get() == 3);
    CHECK(last.get() == 4);
}

TEST_CASE("a high task runs between two chunks of a map that has begun, in every way to map", "[pool]") {
    mp::Pool pool(1);
    const auto check = [&](auto submit) {
        const Tally order;
        const mp::Event go;
        auto result = submit(StampedItem{order, go});
        order.wait_for(1, 1); // it is at its first chunk
        auto urgent = pool.apply_async(high, stamp, order);
        auto urgent_map = pool.map_async(StampedItem{order, go}, {1, 2}, {.priority = mp::Priority::high});
        go.set();
        CHECK(urgent.get() == 2); // item 0 first
        for (const int at : urgent_map.get()) CHECK(at <= 4);
        return result;
    };
    const auto items = numbers(200);
    auto map = check([&](StampedItem f) {
        return pool.map_async(f, items, {.chunksize = 1, .priority = mp::Priority::low});
    });
    CHECK(map.get().back() == 203);
    auto limited =
        check([&](StampedItem f) { return pool.map_async(f, items, {.chunksize = 1, .timeout = 600s}); });
    CHECK(limited.get().back() == 203);
    auto results = check([&](StampedItem f) { return pool.imap(f, items, {.chunksize = 1}); });
    int count = 0;
    for (const int at : results) count += at > 0;
    CHECK(count == 200);
}

TEST_CASE("lower work has one turn of sixteen while higher work waits", "[pool]") {
    mp::Pool pool(1);
    const Tally order;
    const mp::Event go;
    auto held = pool.apply_async(hold, order, go);
    order.wait_for(1, 1);
    std::vector<mp::AsyncResult<int>> urgent;
    for (int i = 0; i < 600; ++i) urgent.push_back(pool.apply_async(high, stamp, order));
    std::vector<mp::AsyncResult<int>> usual;
    for (int i = 0; i < 100; ++i) usual.push_back(pool.apply_async(normal, stamp, order));
    auto lowest = pool.apply_async(low, stamp, order);
    go.set();
    CHECK(usual[0].get() == 16);
    CHECK(usual[1].get() == 32);
    CHECK(lowest.get() == 256); // after fifteen turns of the level above
    CHECK(urgent.back().get() > 600);
}

TEST_CASE("a map below a flood of higher tasks goes on, a chunk in sixteen turns", "[pool]") {
    mp::Pool pool(1);
    const Tally order;
    const mp::Event go;
    auto map =
        pool.map_async(StampedItem{order, go}, numbers(10), {.chunksize = 1, .priority = mp::Priority::low});
    order.wait_for(1, 1);
    std::vector<mp::AsyncResult<int>> urgent;
    for (int i = 0; i < 400; ++i) urgent.push_back(pool.apply_async(high, stamp, order));
    go.set();
    const auto at = map.get();
    for (std::size_t i = 1; i < at.size(); ++i) CHECK(at[i] - at[i - 1] == 16);
    CHECK(urgent.back().get() > 400);
}

TEST_CASE("a worker that dies at higher work loses nothing of the map below", "[pool]") {
    mp::Pool pool(2);
    for (const bool has_limit : {false, true}) {
        const Tally order;
        const mp::Event go;
        mp::MapOptions options{.chunksize = 1, .priority = mp::Priority::low};
        if (has_limit) options.timeout = 600s;
        auto map = pool.map_async(StampedItem{order, go}, numbers(300), options);
        order.wait_for(1, 1);
        std::vector<mp::AsyncResult<void>> deadly;
        for (int i = 0; i < 6; ++i) deadly.push_back(pool.apply_async(high, [] { vanish(9); }));
        auto deadly_map =
            pool.map_async([](int) { vanish(9); }, {1, 2, 3}, {.chunksize = 1, .priority = mp::Priority::high});
        go.set();
        CHECK(map.get().size() == 300);
        for (const auto& result : deadly) CHECK_THROWS_AS(result.get(), mp::WorkerLostError);
        CHECK_THROWS_AS(deadly_map.get(), mp::WorkerLostError);
        CHECK(pool.apply(identity, 7) == 7);
    }
}

TEST_CASE("maps of all priorities at once, with workers that have a share of tasks, are done", "[pool]") {
    mp::Pool pool({.processes = 3, .maxtasksperchild = 20});
    std::vector<mp::AsyncResult<std::vector<int>>> maps;
    std::vector<mp::AsyncResult<int>> tasks;
    for (int i = 0; i < 30; ++i) {
        const auto priority = static_cast<mp::Priority>(i % 3);
        maps.push_back(pool.map_async(identity, numbers(50), {.chunksize = 5, .priority = priority}));
        for (int k = 0; k < 10; ++k)
            tasks.push_back(pool.apply_async(mp::TaskOptions{.priority = priority}, identity, k));
    }
    for (const auto& map : maps) CHECK(map.get() == numbers(50));
    for (std::size_t i = 0; i < tasks.size(); ++i) CHECK(tasks[i].get() == static_cast<int>(i % 10));
}

TEST_CASE("a high task retried, and one of an executor, keep their priority", "[pool]") {
    mp::Pool pool(1);
    const auto dies_once = [] {
        if (mp::current_task().attempt() == 1) vanish(9);
        return 5;
    };
    CHECK(pool.apply_async(mp::TaskOptions{.retries = 1, .priority = mp::Priority::high}, dies_once).get() ==
          5);
    mp::futures::ProcessPoolExecutor executor(1);
    const Tally order;
    const mp::Event go;
    auto held = executor.submit(hold, order, go);
    order.wait_for(1, 1);
    auto usual = executor.submit(stamp, order);
    auto urgent = executor.submit(high, stamp, order);
    go.set();
    CHECK(urgent.result() == 1);
    CHECK(usual.result() == 2);
}
