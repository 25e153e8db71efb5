// SPDX-License-Identifier: BSL-1.0
// Results that nobody waits for, and what a pool leaves however it ends.
#include <support/eventually.hpp>
#include <support/processes.hpp>

#include <support/program.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/pool.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#if !defined(_WIN32)
#include <unistd.h>
#endif

using namespace process;

namespace {

int identity(int x) { return x; }

std::vector<char> big(int) { return std::vector<char>(std::size_t{1} << 20, 'x'); }

void fail(const std::string& text) { throw std::runtime_error(text); }

std::vector<char> big_of(int x) {
    if (x == 3) throw std::runtime_error("one of many");
    return big(x);
}

/// Counts lines of the log that contain a text, as long as the program runs.
std::shared_ptr<std::atomic<int>> lines_with(const std::string& text) {
    auto count = std::make_shared<std::atomic<int>>(0);
    mp::get_logger().add_sink([count, text](mp::LogLevel, std::string_view line) {
        if (line.find(text) != std::string::npos) ++*count;
    });
    return count;
}

bool comes_to(const std::atomic<int>& count, int value) {
    return support::eventually([&] { return count >= value; }) && count == value;
}

/// Bytes in use in this process's heap, once all that is dead is buried.
std::uint64_t live_bytes() {
    auto& heap = mp::detail::tree().heap;
    for (int i = 0; i < 50; ++i) {
        mp::detail::running_children();
        mp::detail::leases().collect();
        heap.trim();
        std::this_thread::sleep_for(2ms);
    }
    return heap.live();
}

} // namespace

TEST_CASE("an error of a dropped result is logged soon, and once", "[pool]") {
    const auto logged = lines_with("dropped before its end");
    const auto logged_after = lines_with("dropped after its end");
    Tally tally;
    mp::Pool pool(1);
    pool.apply_async(
        [](Tally t) {
            t.wait_for(0, 1);
            throw std::runtime_error("dropped before its end");
        },
        tally);
    tally.add(0, 1);
    CHECK(comes_to(*logged, 1)); // nothing else happens in the pool
    {
        const auto result = pool.apply_async(fail, std::string("dropped after its end"));
        result.wait();
    }
    CHECK(*logged_after == 1);
    pool.close();
    pool.join();
    CHECK(*logged == 1);
    CHECK(*logged_after == 1);
}

TEST_CASE("an error of a dropped map is logged soon, also if its worker died", "[pool]") {
    const auto thrown = lines_with("one of many");
    const auto lost = lines_with("ended with exit code 9");
    mp::Pool pool(2);
    pool.map_async(big_of, {1, 2, 3, 4});
    CHECK(comes_to(*thrown, 1));
    pool.map_async(
        [](int x) {
            if (x == 3) mp::detail::platform::exit_now(9);
            return x;
        },
        {1, 2, 3, 4}, {.chunksize = 1});
    CHECK(comes_to(*lost, 1));
    CHECK(pool.apply(identity, 1) == 1);
}

TEST_CASE("dropped results leave no memory, however their pool ends", "[pool]") {
    const ExpectedLog quiet{""};
    mp::Pool(1).apply(identity, 1); // what the first start makes stays
    const std::uint64_t before = live_bytes();
    const auto drop_some = [](mp::Pool& pool) {
        pool.apply_async(big, 0);
        pool.apply_async(big_of, 3);
        pool.map_async(big_of, {1, 2, 3, 4});
        const auto ended = pool.apply_async(big, 0);
        ended.wait();
        pool.apply_async(big, 0);
    };
    SECTION("closed and joined") {
        mp::Pool pool(2);
        drop_some(pool);
        pool.close();
        pool.join();
    }
    SECTION("terminated") {
        mp::Pool pool(2);
        drop_some(pool);
        pool.terminate();
        pool.join();
    }
    SECTION("destroyed") {
        mp::Pool pool(2);
        drop_some(pool);
    }
    SECTION("destroyed, when all has ended") {
        mp::Pool pool(2);
        drop_some(pool);
        pool.apply(identity, 1);
        std::this_thread::sleep_for(50ms);
    }
    SECTION("dropped after the end of the pool") {
        std::optional<mp::AsyncResult<std::vector<char>>> task;
        std::optional<mp::AsyncResult<std::vector<std::vector<char>>>> map;
        {
            mp::Pool pool(2);
            task = pool.apply_async(big, 0);
            map = pool.map_async(big_of, {1, 2, 3, 4});
            task->wait();
            map->wait();
        }
        CHECK(live_bytes() > before + (std::uint64_t{3} << 20));
    }
    SECTION("broken by the initializers of several workers") {
        mp::Pool pool(4, [] { throw std::domain_error(std::string(2000, 'x')); });
        CHECK_THROWS_AS(pool.apply(big, 1), std::domain_error);
    }
    SECTION("its workers die") {
        mp::Pool pool(2);
        const auto dies = [](int x) {
            if (x == 3) throw std::runtime_error(std::string(1000, 'y'));
            if (x == 5) mp::detail::platform::exit_now(1);
            return big(x);
        };
        pool.map_async(dies, {1, 2, 3, 4, 5, 6, 7, 8}, {.chunksize = 8});
        CHECK_THROWS_AS(pool.map(dies, {1, 2, 3, 4, 5, 6, 7, 8}, {.chunksize = 8}), std::runtime_error);
    }
    CHECK(support::eventually([&] { return live_bytes() <= before; }));
}

TEST_CASE("a sink of the log may use the pool whose error it is told", "[pool]") {
    static std::function<void()> use;
    static std::atomic<int> used{0};
    mp::get_logger().add_sink([](mp::LogLevel, std::string_view line) {
        if (!use || line.find("told to a sink") == std::string_view::npos) return;
        use();
        ++used;
    });
    mp::Pool pool(1);
    int result = 0;
    bool refused = false;
    use = [&] {
        pool.apply_async(identity, 2);
        result = pool.apply(identity, 5);
        try {
            pool.close();
            pool.join();
        } catch (const std::logic_error&) { refused = true; } // it would wait for its own thread
    };
    Tally tally;
    pool.apply_async(
        [](Tally t, const std::string& text) {
            t.wait_for(0, 1); // until it was dropped: else this thread would find its error
            fail(text);
        },
        tally, std::string("told to a sink"));
    tally.add(0, 1);
    CHECK(comes_to(used, 1));
    CHECK(result == 5);
    CHECK(refused);
    use = nullptr;
}

TEST_CASE("dropping many results takes time in proportion to their number", "[pool]") {
    const auto time_of = [](int count) {
        auto best = std::chrono::nanoseconds::max();
        for (int attempt = 0; attempt < 3; ++attempt) {
            Tally tally;
            mp::Pool pool(1);
            pool.apply_async([](Tally t) { t.wait_for(0, 1); }, tally); // the others wait behind it
            const auto begin = std::chrono::steady_clock::now();
            for (int i = 0; i < count; ++i) pool.apply_async(identity, i);
            best = (std::min)(best, std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin));
            tally.add(0, 1);
            pool.close();
            pool.join();
        }
        return best;
    };
    const auto few = time_of(1000);
    const auto many = time_of(64'000);
    INFO(few.count() << " ns for 1,000, " << many.count() << " for 64,000");
    // 64 times 64, if each looked at all before it. Many take fresh memory as well, which few find warm.
    CHECK(many < few * 64 * 24);
}

TEST_CASE("an error of an earlier item outlives the worker that a later one kills", "[pool]") {
    mp::Pool pool(1);
    std::vector<int> items(8);
    for (int i = 0; i < 8; ++i) items[static_cast<std::size_t>(i)] = i;
    const auto noted_one_by_one = [](int x) {
        std::this_thread::sleep_for(1ms);
        if (x == 1) throw std::length_error("item 1 threw");
        if (x == 5) mp::detail::platform::exit_now(1);
        return std::to_string(x);
    };
    CHECK_THROWS_WITH(pool.map(noted_one_by_one, items, {.chunksize = 8}), "item 1 threw");
    std::vector<int> many(4096);
    for (int i = 0; i < 4096; ++i) many[static_cast<std::size_t>(i)] = i;
    const auto noted_by_blocks = [](int x) {
        if (x == 700) throw std::length_error("item 700 threw");
        if (x == 3000) mp::detail::platform::exit_now(1);
        return x;
    };
    CHECK_THROWS_WITH(pool.map(noted_by_blocks, many, {.chunksize = 4096}), "item 700 threw");
    const auto last_of_all = [](int x) {
        std::this_thread::sleep_for(1ms);
        if (x == 7) throw std::length_error("item 7 threw");
        if (x == 2) mp::detail::platform::exit_now(1);
        return x;
    };
    CHECK_THROWS_AS(pool.map(last_of_all, items, {.chunksize = 8}), mp::WorkerLostError);
}

TEST_CASE("a pool that is terminated gives no results of an unfinished map", "[pool]") {
    const int rounds = mp::get_start_method() == mp::StartMethod::spawn ? 20 : 60;
    int given = 0;
    for (int round = 0; round < rounds; ++round) {
        mp::Pool pool(1);
        const auto result = pool.map_async(
            [](int x) {
                std::this_thread::sleep_for(60s);
                return x;
            },
            std::vector<int>(64, 1), {.chunksize = 1});
        std::jthread looker([&] {
            while (!result.ready()) {}
            try {
                result.get();
                ++given;
            } catch (const mp::CancelledError&) {}
        });
        std::this_thread::sleep_for(1ms);
        pool.terminate();
    }
    CHECK(given == 0);
}

TEST_CASE("a worker that retires leaves its map to the others", "[pool]") {
    mp::Pool pool({.processes = 3, .maxtasksperchild = 2});
    for (int round = 0; round < 5; ++round) {
        std::vector<int> items(40);
        for (int i = 0; i < 40; ++i) items[static_cast<std::size_t>(i)] = i;
        CHECK(pool.map(identity, items, {.chunksize = 1}) == items);
    }
}

#if !defined(_WIN32)
TEST_CASE("a pool works on when the limit of descriptors is lowered beneath it", "[pool]") {
    if (support::has_asan) return; // LeakSanitizer opens files at the end, and fails without
    for (const char* limit : {"6", "1", "0"}) {
        INFO(limit);
        const auto output = support::output_of("lowers_limit", {limit});
        INFO(output.out << output.err);
        CHECK(output.exitcode == 0);
    }
}

TEST_CASE("a pool ends although its workers may not be signalled", "[pool]") {
    if (::geteuid() != 0) return;
    const auto output = support::output_of("may_not_signal");
    INFO(output.out << output.err);
    CHECK(output.exitcode == 0);
    CHECK_THAT(output.err, ContainsSubstring("cannot be ended"));
}
#endif
