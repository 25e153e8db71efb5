// SPDX-License-Identifier: BSL-1.0
// imap and imap_unordered: order, reading ahead, errors, losses, what results may be, leaving early.
#include <support/eventually.hpp>
#include <support/inputs.hpp>

#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <variant>
#include <vector>

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

std::vector<int> up_to(int end) {
    std::vector<int> numbers(static_cast<std::size_t>(end));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

std::string spell(int x) {
    return std::string(static_cast<std::size_t>(x % 5000), static_cast<char>('a' + x % 26));
}

template <class R>
std::vector<R> all_of(mp::pool::IMapIterator<R> results) {
    std::vector<R> all;
    while (auto result = results.next()) all.push_back(std::move(*result));
    return all;
}

struct ThrowsAtTens {
    int operator()(int x) const {
        if (x % 10 == 0) throw std::domain_error("item " + std::to_string(x));
        return x;
    }
};

/// Counts how often each item begins.
struct KillsAt {
    int victim;
    mp::Array<int> begun;
    std::string operator()(int x) {
        begun[static_cast<std::size_t>(x)] += 1;
        if (x == victim) vanish(9);
        return std::to_string(x);
    }
};

struct Unreadable {
    int value = 0;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(value);
        if (value == 13) throw std::domain_error("unlucky");
    }
};

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

TEST_CASE("imap yields results in the order of its items", "[pool]") {
    mp::Pool pool(2);
    const std::vector<int> numbers = up_to(3000);
    for (const std::size_t chunksize : {0u, 1u, 7u, 5000u}) {
        for (const std::size_t buffersize : {0u, 1u, 50u, 10'000u}) {
            INFO("chunksize " << chunksize << " buffersize " << buffersize);
            const std::size_t count = buffersize == 1 ? 100 : 3000;
            const std::vector<int> some(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(count));
            CHECK(all_of(pool.imap(identity, some, {.chunksize = chunksize, .buffersize = buffersize})) ==
                  some);
            std::vector<std::string> spelled;
            for (const int x : some) spelled.push_back(spell(x));
            CHECK(all_of(pool.imap(spell, some, {.chunksize = chunksize, .buffersize = buffersize})) ==
                  spelled);
        }
    }
    CHECK(all_of(pool.imap(identity, {5, 3, 4})) == std::vector{5, 3, 4});
    CHECK(all_of(pool.imap(identity, std::vector<int>{})).empty());
    CHECK(all_of(pool.imap_unordered(identity, std::vector<int>{})).empty());
}

TEST_CASE("imap_unordered yields every result once", "[pool]") {
    mp::Pool pool(2);
    const std::vector<int> numbers = up_to(3000);
    for (const std::size_t chunksize : {0u, 1u, 7u}) {
        for (const std::size_t buffersize : {0u, 3u, 10'000u}) {
            INFO("chunksize " << chunksize << " buffersize " << buffersize);
            std::vector<int> results = all_of(
                pool.imap_unordered(identity, numbers, {.chunksize = chunksize, .buffersize = buffersize}));
            std::sort(results.begin(), results.end());
            CHECK(results == numbers);
        }
    }
    std::vector<std::string> words = all_of(pool.imap_unordered(spell, {3, 1, 2}));
    std::sort(words.begin(), words.end());
    CHECK(words == std::vector{spell(1), spell(2), spell(3)});
}

TEST_CASE("imap_unordered yields what has ended while an earlier item runs", "[pool]") {
    mp::Pool pool(2);
    const FirstWaits waits{};
    auto results = pool.imap_unordered(waits, std::views::iota(0, 100));
    std::vector<int> early;
    for (int i = 0; i < 99; ++i) early.push_back(results.next(60s).value());
    CHECK(std::find(early.begin(), early.end(), 0) == early.end());
    CHECK_THROWS_AS(results.next(0s), mp::TimeoutError);
    waits.go.set();
    CHECK(results.next() == 0);
    CHECK_FALSE(results.next());
}

TEST_CASE("next with a timeout loses nothing", "[pool]") {
    mp::Pool pool(2);
    const FirstWaits waits{};
    auto results = pool.imap(waits, std::views::iota(0, 5));
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_AS(results.next(0s), mp::TimeoutError);
        CHECK_THROWS_AS(results.next(20ms), mp::TimeoutError);
    }
    waits.go.set();
    for (int i = 0; i < 5; ++i) CHECK(results.next(60s) == i);
    CHECK_FALSE(results.next(0s));
    CHECK_FALSE(results.next());
    CHECK_FALSE(results.next());
}

TEST_CASE("results of a chunk come item by item, while it runs", "[pool]") {
    mp::Pool pool(1);
    struct LastWaits {
        mp::Event go;
        int operator()(int x) const {
            if (x == 9) go.wait();
            return x;
        }
    };
    const LastWaits waits{};
    for (const bool unordered : {false, true}) {
        waits.go.clear();
        auto results = unordered ? pool.imap_unordered(waits, std::views::iota(0, 10), {.chunksize = 10})
                                 : pool.imap(waits, std::views::iota(0, 10), {.chunksize = 10});
        for (int i = 0; i < 9; ++i) CHECK(results.next(60s) == i);
        CHECK_THROWS_AS(results.next(0s), mp::TimeoutError);
        waits.go.set();
        CHECK(results.next() == 9);
    }
}

TEST_CASE("an exception stands at its item's place, and imap goes on", "[pool]") {
    mp::Pool pool(2);
    for (const std::size_t chunksize : {0u, 1u, 25u}) {
        auto results = pool.imap(ThrowsAtTens{}, std::views::iota(0, 50), {.chunksize = chunksize});
        for (int i = 0; i < 50; ++i) {
            if (i % 10 == 0) {
                look_at<std::domain_error>([&] { results.next(); },
                                           [&](const std::domain_error& error) {
                                               CHECK(std::string(error.what()) == "item " + std::to_string(i));
                                               const mp::RemoteCause* const cause = mp::remote_cause(error);
                                               REQUIRE(cause);
                                               CHECK(cause->task_index == static_cast<std::size_t>(i));
                                           });
            } else {
                CHECK(results.next() == i);
            }
        }
        CHECK_FALSE(results.next());
        auto unordered = pool.imap_unordered(ThrowsAtTens{}, std::views::iota(0, 50), {.chunksize = chunksize});
        int errors = 0;
        int sum = 0;
        for (;;) {
            try {
                const auto result = unordered.next();
                if (!result) break;
                sum += *result;
            } catch (const std::domain_error&) { ++errors; }
        }
        CHECK(errors == 5);
        CHECK(sum == 49 * 50 / 2 - (10 + 20 + 30 + 40));
    }
}

TEST_CASE("the iterator throws an error each time, and goes on behind it", "[pool]") {
    mp::Pool pool(2);
    auto results = pool.imap(ThrowsAtTens{}, std::views::iota(9, 13));
    auto at = results.begin();
    CHECK(*at == 9);
    CHECK(*at == 9);
    ++at;
    CHECK(at != std::default_sentinel);
    CHECK_THROWS_AS(*at, std::domain_error);
    CHECK_THROWS_AS(*at, std::domain_error);
    ++at;
    CHECK(*at == 11);
    CHECK(results.next() == 12); // behind what the iterator has shown
    CHECK(results.begin() == std::default_sentinel);
    CHECK_THROWS_AS(*results.begin(), std::logic_error);
}

TEST_CASE("a result that cannot be read fails at its place alone", "[pool]") {
    mp::Pool pool(1);
    auto results = pool.imap([](int x) { return Unreadable{x}; }, {12, 13, 14});
    CHECK(results.next()->value == 12);
    CHECK_THROWS_AS(results.next(), std::domain_error);
    CHECK(results.next()->value == 14);
    CHECK_FALSE(results.next());
}

TEST_CASE("an item that ends its worker is lost alone, at its place", "[pool]") {
    mp::Pool pool(2);
    for (const bool ordered : {true, false}) {
        for (const std::size_t chunksize : {0u, 1u, 10u, 100u}) {
            INFO("chunksize " << chunksize << " ordered " << ordered);
            const KillsAt kills{37, mp::Array<int>(100)};
            auto results = ordered
                               ? pool.imap(kills, std::views::iota(0, 100), {.chunksize = chunksize})
                               : pool.imap_unordered(kills, std::views::iota(0, 100), {.chunksize = chunksize});
            std::vector<int> got;
            std::optional<std::size_t> lost;
            for (;;) {
                try {
                    const auto result = results.next();
                    if (!result) break;
                    got.push_back(std::stoi(*result));
                } catch (const mp::WorkerLostError& error) {
                    CHECK_FALSE(lost);
                    lost = error.task_index();
                    CHECK(error.exitcode() == 9);
                    CHECK_THAT(error.what(), ContainsSubstring("item 37"));
                    if (ordered) CHECK(got.size() == 37);
                }
            }
            CHECK(lost == 37u);
            if (!ordered) std::sort(got.begin(), got.end());
            std::vector<int> expected = up_to(100);
            expected.erase(expected.begin() + 37);
            CHECK(got == expected);
            CHECK(std::ranges::all_of(kills.begun.copy(), [](int count) { return count == 1; }));
        }
    }
}

TEST_CASE("imap never reads further ahead than its buffersize", "[pool]") {
    mp::Pool pool(2);
    for (const bool ordered : {true, false}) {
        for (const std::size_t chunksize : {0u, 1u, 5u, 100u}) {
            for (const int buffersize : {1, 2, 3, 7, 16}) {
                INFO("chunksize " << chunksize << " buffersize " << buffersize << " ordered " << ordered);
                int read = 0;
                const mp::MapOptions options{.chunksize = chunksize, .buffersize = buffersize};
                auto results = ordered ? pool.imap(identity, Numbers{read}, options)
                                       : pool.imap_unordered(identity, Numbers{read}, options);
                CHECK(read == buffersize);
                int too_far = 0;
                for (int taken = 0; taken < 50;) {
                    too_far += !results.next();
                    ++taken;
                    too_far += read > taken + buffersize;
                }
                CHECK(too_far == 0);
            }
        }
    }
}

TEST_CASE("a loop over imap reads no further ahead than its buffersize", "[pool]") {
    mp::Pool pool(2);
    int read = 0;
    int taken = 0;
    int too_far = 0;
    for (const int result : pool.imap(identity, Numbers{read}, {.buffersize = 3})) {
        too_far += read > taken + 3;
        too_far += result != taken;
        if (++taken == 100) break;
    }
    CHECK(too_far == 0);
    CHECK(read >= 100);
}

TEST_CASE("imap reads two chunks per worker ahead, if nothing is said", "[pool]") {
    mp::Pool pool(3);
    int read = 0;
    auto results = pool.imap(identity, Numbers{read}, {.chunksize = 1});
    CHECK(read == 6);
    for (int taken = 1; taken <= 30; ++taken) {
        CHECK(results.next() == taken - 1);
        CHECK(read <= taken + 6);
    }
    read = 0;
    const FirstWaits waits{};
    auto in_fives = pool.imap(waits, Numbers{read}, {.chunksize = 5});
    CHECK(read <= 30);
    CHECK(read >= 6); // a chunk that is not full is sent when a worker is idle
    waits.go.set();
    for (int i = 0; i < 50; ++i) CHECK(in_fives.next() == i);
}

TEST_CASE("imap keeps its function, also one that is moved in", "[pool]") {
    mp::Pool pool(1);
    struct Adds {
        std::vector<int> offsets;
        int operator()(int x) const { return x + offsets.at(0); }
    };
    auto function = std::make_unique<Adds>(Adds{{100}});
    auto results = pool.imap(std::move(*function), std::views::iota(0, 100));
    function.reset();
    for (int i = 0; i < 100; ++i) CHECK(results.next() == 100 + i);
}

TEST_CASE("imap yields a monostate for each call of a void function", "[pool]") {
    mp::Pool pool(2);
    Tally tally;
    struct Counts {
        Tally tally;
        void operator()(int x) const {
            tally.add(0, x);
            if (x == 5) throw std::domain_error("five");
        }
    };
    auto results = pool.imap(Counts{tally}, std::views::iota(0, 20));
    STATIC_REQUIRE(std::is_same_v<decltype(results)::value_type, std::monostate>);
    for (int i = 0; i < 20; ++i) {
        if (i == 5) {
            CHECK_THROWS_AS(results.next(), std::domain_error);
        } else {
            CHECK(results.next().has_value());
        }
    }
    CHECK_FALSE(results.next());
    CHECK(tally.get(0) == 190);
    int count = 0;
    for (const std::monostate& done : pool.imap_unordered(Counts{tally}, {1, 2, 3})) {
        static_cast<void>(done);
        ++count;
    }
    CHECK(count == 3);
}

TEST_CASE("imap yields results that can only be moved", "[pool]") {
    mp::Pool pool(2);
    const auto make = [](int x) { return std::make_unique<int>(x); };
    int expected = 0;
    for (std::unique_ptr<int> result : pool.imap(make, std::views::iota(0, 100))) CHECK(*result == expected++);
    CHECK(expected == 100);
    auto results = pool.imap_unordered(make, {7});
    CHECK(**results.next() == 7);
    CHECK_FALSE(results.next());
}

TEST_CASE("imap yields shared vectors that are the caller's then", "[pool]") {
    std::uint64_t before = 0;
    {
        mp::Pool pool(2);
        const auto make = [](int x) { return mp::shared_vector<int>(1000, x); };
        for (int round = 0; round < 2; ++round) {
            int expected = 0;
            std::vector<mp::shared_vector<int>> kept;
            for (mp::shared_vector<int> result : pool.imap(make, std::views::iota(0, 50))) {
                CHECK(result.size() == 1000);
                CHECK(result[999] == expected++);
                if (expected % 10 == 0) kept.push_back(std::move(result));
            }
            CHECK(expected == 50);
            for (std::size_t i = 0; i < kept.size(); ++i) CHECK(kept[i][0] == static_cast<int>(10 * i + 9));
            {
                auto left_early = pool.imap(make, std::views::iota(0, 50));
                CHECK(left_early.next()->front() == 0);
            }
            if (round == 0) before = live_bytes();
        }
        CHECK(support::eventually([&] { return live_bytes() <= before + 4096; }));
    }
}

TEST_CASE("imap yields results of some megabytes, and frees them", "[pool]") {
    mp::Pool pool(2);
    const auto large = [](int x) { return std::vector<double>(400'000, x); };
    const auto words = [](int x) { return std::vector<std::string>(20'000, spell(100 + x)); };
    std::uint64_t before = 0;
    for (int round = 0; round < 2; ++round) {
        int expected = 0;
        for (const auto& result : pool.imap(large, std::views::iota(0, 10), {.chunksize = 3})) {
            CHECK(result.size() == 400'000);
            CHECK(result.back() == expected++);
        }
        expected = 0;
        for (const auto& result : pool.imap(words, std::views::iota(0, 10))) {
            CHECK(result.size() == 20'000);
            CHECK(result.back() == spell(100 + expected++));
        }
        {
            auto left_early = pool.imap(large, std::views::iota(0, 10));
            CHECK(left_early.next()->size() == 400'000);
        }
        if (round == 0) before = live_bytes();
    }
    CHECK(support::eventually([&] { return live_bytes() <= before + 100'000; }));
}

TEST_CASE("an imap that is left early takes back what has not begun", "[pool]") {
    mp::Pool pool(1);
    for (const std::size_t chunksize : {1u, 10u}) {
        const FirstWaits waits{};
        {
            int read = 0;
            auto results = pool.imap(waits, Numbers{read}, {.chunksize = chunksize, .buffersize = 20});
            waits.tally.wait_for(0, 1);
            CHECK_THROWS_AS(results.next(0s), mp::TimeoutError);
        }
        waits.go.set();
        CHECK(pool.apply(identity, 1) == 1); // behind all that was submitted
        CHECK(waits.tally.get(0) == 1);
        CHECK(waits.tally.get(1) == 1);
    }
}

TEST_CASE("an imap that is assigned to takes back what it had", "[pool]") {
    mp::Pool pool(1);
    const FirstWaits waits{};
    auto results = pool.imap(waits, std::views::iota(0, 20), {.chunksize = 1});
    waits.tally.wait_for(0, 1);
    results = pool.imap(waits, std::views::iota(100, 103), {.chunksize = 1});
    waits.go.set();
    for (int i = 100; i < 103; ++i) CHECK(results.next() == i);
    CHECK_FALSE(results.next());
    CHECK(waits.tally.get(0) == 4);
}

TEST_CASE("results that were finished outlive their pool", "[pool]") {
    std::optional<mp::pool::IMapIterator<std::string>> results;
    {
        mp::Pool pool({.processes = 2, .on_exit = mp::OnExit::join});
        results = pool.imap(spell, std::views::iota(0, 50), {.buffersize = 50});
    }
    for (int i = 0; i < 50; ++i) CHECK(results->next() == spell(i));
    CHECK_FALSE(results->next());
}

TEST_CASE("an imap whose pool was terminated throws CancelledError, then ends", "[pool]") {
    const ExpectedLog log{"a Pool ends with work that is not done"};
    const FirstWaits waits{};
    std::optional<mp::pool::IMapIterator<int>> results;
    std::optional<mp::pool::IMapIterator<int>> endless;
    int read = 0;
    {
        mp::Pool pool(1);
        results = pool.imap(waits, std::views::iota(0, 3), {.chunksize = 1, .buffersize = 3});
        endless = pool.imap(waits, Numbers{read}, {.chunksize = 1, .buffersize = 3});
        waits.tally.wait_for(0, 1);
    }
    CHECK(log.seen());
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(results->next(), mp::CancelledError);
    CHECK_FALSE(results->next());
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(endless->next(), mp::CancelledError);
    CHECK_THROWS_AS(endless->next(), std::invalid_argument); // what is read from there on is refused
    CHECK_FALSE(endless->next());
    CHECK(read <= 4);
}

TEST_CASE("terminate wakes a thread that waits for the next result", "[pool]") {
    mp::Pool pool(1);
    const FirstWaits waits{};
    auto results = pool.imap(waits, {0});
    waits.tally.wait_for(0, 1);
    std::jthread terminates([&] { pool.terminate(); });
    CHECK_THROWS_AS(results.next(), mp::CancelledError);
}

TEST_CASE("workers of an imap are replaced after their share of items", "[pool]") {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 5});
    std::map<int, int> items;
    for (const int pid : pool.imap([](int) { return mp::current_process().pid(); }, std::views::iota(0, 100)))
        ++items[pid];
    CHECK(items.size() >= 20);
    for (const auto& [pid, count] : items) CHECK(count <= 5);
}

TEST_CASE("imap reports its progress up to the end", "[pool]") {
    mp::Pool pool(2);
    std::vector<mp::ProgressReport> reports;
    const auto progress = [&](const mp::ProgressReport& report) { reports.push_back(report); };
    int sum = 0;
    for (const int result : pool.imap(identity, up_to(100), {.progress = progress})) sum += result;
    CHECK(sum == 4950);
    REQUIRE_FALSE(reports.empty());
    CHECK(reports.back().done == 100);
    CHECK(reports.back().total == 100);
    int read = 0;
    reports.clear();
    for (const int result : pool.imap(identity, Numbers{read, 50}, {.progress = progress})) sum += result;
    REQUIRE_FALSE(reports.empty());
    CHECK(reports.back().done == 50);
}

TEST_CASE("imap of a closed pool is refused, and reads nothing", "[pool]") {
    mp::Pool pool(1);
    pool.close();
    int read = 0;
    CHECK_THROWS_AS(pool.imap(identity, Numbers{read}), std::invalid_argument);
    CHECK_THROWS_AS(pool.imap_unordered(identity, {1, 2}), std::invalid_argument);
    CHECK(read == 0);
    pool.join();
}

TEST_CASE("an imap begins before its pool is closed, and ends whole", "[pool]") {
    mp::Pool pool(2);
    auto results = pool.imap(identity, up_to(10), {.buffersize = 10});
    pool.close();
    pool.join();
    for (int i = 0; i < 10; ++i) CHECK(results.next() == i);
    CHECK_FALSE(results.next());
}

TEST_CASE("an imap that has begun is read to its end though its pool is closed", "[pool]") {
    mp::Pool pool(2);
    int read = 0;
    auto results = pool.imap(identity, Numbers{read, 5000}, {.chunksize = 10, .buffersize = 40});
    auto left_early = pool.imap(identity, std::views::iota(0));
    CHECK(left_early.next() == 0);
    pool.close();
    CHECK_THROWS_AS(pool.imap(identity, {1}), std::invalid_argument);
    CHECK_THROWS_AS(pool.apply(identity, 1), std::invalid_argument);
    int wrong = 0;
    for (int i = 0; i < 5000; ++i) wrong += results.next() != i;
    CHECK(wrong == 0);
    CHECK_FALSE(results.next());
    left_early = std::move(results);
    CHECK(pool.join(60s));
}

TEST_CASE("a pool that is joined waits for no reader of an imap", "[pool]") {
    mp::Pool pool(2);
    auto results = pool.imap(identity, std::views::iota(0), {.chunksize = 5, .buffersize = 20});
    pool.close();
    REQUIRE(pool.join(60s));
    std::string error;
    int next = 0;
    try {
        while (results.next() == next) ++next;
    } catch (const std::invalid_argument& e) { error = e.what(); }
    CHECK(next == 20); // what was submitted before
    CHECK(error.find("joined before") != std::string::npos);
    CHECK_FALSE(results.next());
}

TEST_CASE("a broken pool ends an imap with its error", "[pool]") {
    mp::Pool pool(2, [] { throw std::domain_error("no database"); });
    // In the call, where the pool is broken by then, or at the first result.
    CHECK_THROWS_AS(pool.imap(identity, std::views::iota(0, 1000)).next(), std::domain_error);
}

TEST_CASE("several imaps of one pool are walked in turn", "[pool]") {
    mp::Pool pool(2);
    std::vector<mp::pool::IMapIterator<int>> all;
    for (int i = 0; i < 10; ++i) all.push_back(pool.imap(identity, std::views::iota(i * 1000, i * 1000 + 100)));
    int wrong = 0;
    for (int item = 0; item < 100; ++item) {
        for (int i = 0; i < 10; ++i) wrong += all[static_cast<std::size_t>(i)].next() != i * 1000 + item;
    }
    CHECK(wrong == 0);
}

TEST_CASE("threads walk imaps of their own over one pool", "[pool]") {
    mp::Pool pool(2);
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < 4; ++number) {
            threads.emplace_back([&, number] {
                int expected = number;
                for (const int result : pool.imap(identity, std::views::iota(number, number + 500)))
                    wrong += result != expected++;
                int sum = 0;
                for (const std::string& result : pool.imap_unordered(spell, std::views::iota(0, 200)))
                    sum += static_cast<int>(result.size());
                wrong += sum != 199 * 200 / 2;
            });
        }
    }
    CHECK(wrong == 0);
}

#if !defined(_WIN32)
TEST_CASE("an imap belongs to the process that made it", "[pool]") {
    mp::Pool pool(1);
    auto results = pool.imap(identity, std::views::iota(0, 100));
    CHECK(results.next() == 0);
    const pid_t copy = ::fork();
    if (copy == 0) {
        int code = 1;
        try {
            results.next();
        } catch (const std::logic_error&) { code = 0; }
        { const auto ended_in_copy = std::move(results); }
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(copy, &status, 0) < 0) {}
    CHECK(status == 0);
    for (int i = 1; i < 100; ++i) CHECK(results.next() == i);
}
#endif
