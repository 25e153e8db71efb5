// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/processes.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/synchronize.hpp>

#include <array>
#include <complex>
#include <cstdlib>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>

using namespace process;

namespace {

int square(int x) { return x * x; }
double mixed(int a, double b, const std::string& c) { return a + b + static_cast<double>(c.size()); }
void do_nothing() {}

struct Padded { // 3 bytes of padding
    char tag;
    int value;
    bool operator==(const Padded&) const = default;
};

struct Person {
    std::string name;
    std::vector<int> scores;
    bool operator==(const Person&) const = default;
};

struct Adder {
    std::vector<int> offsets;
    int operator()(int x) const { return x + offsets.at(0); }
};

} // namespace

TEST_CASE("apply returns what the function returns in a worker", "[pool]") {
    mp::Pool pool(2);
    CHECK(pool.apply(square, 7) == 49);
    CHECK(pool.apply(mixed, 1, 2.5, "four") == 7.5);
    CHECK(pool.apply([] { return mp::current_process().name(); }) != "MainProcess");
    CHECK_THAT(pool.apply([] { return mp::current_process().name(); }), ContainsSubstring("PoolWorker-"));
    CHECK(pool.apply([](std::string a, std::string b) { return a + b; }, "left", std::string("right")) ==
          "leftright");
    CHECK(pool.apply(Adder{{10}}, 5) == 15);
    pool.apply(do_nothing);
    STATIC_REQUIRE(std::is_void_v<decltype(pool.apply(do_nothing))>);
    STATIC_REQUIRE(std::is_same_v<decltype(pool.apply(square, 1)), int>);
}

TEST_CASE("apply carries any serializable value there and back", "[pool]") {
    mp::Pool pool(1);
    const auto echo = [](const auto& value) { return value; };
    CHECK(pool.apply(echo, Person{"Ada", {1, 2, 3}}) == Person{"Ada", {1, 2, 3}});
    CHECK(pool.apply(echo, std::map<std::string, std::vector<double>>{{"a", {1.5}}}).at("a").at(0) == 1.5);
    CHECK(pool.apply(echo, std::variant<int, std::string>("text")).index() == 1);
    CHECK_FALSE(pool.apply(echo, std::optional<int>{}));
    CHECK(pool.apply(echo, std::complex<double>(1, 2)) == std::complex<double>(1, 2));
    CHECK(*pool.apply([](std::unique_ptr<int> p) { return std::make_unique<int>(*p + 1); },
                      std::make_unique<int>(1)) == 2);
    const std::vector<double> large(2'000'000, 0.5);
    CHECK(pool.apply(echo, large) == large);
    const std::vector<std::string> words(50'000, "a word of some length, beyond the small ones");
    CHECK(pool.apply(echo, words) == words);
}

TEST_CASE("asynchronous results can be asked, waited for, copied and compared", "[pool]") {
    mp::Pool pool(1);
    Tally tally;
    auto result = pool.apply_async([](Tally t) { return t.wait_for(0, 1), 5; }, tally);
    CHECK_FALSE(result.ready());
    CHECK_FALSE(result.wait(10ms));
    CHECK_THROWS_AS(result.get(10ms), mp::TimeoutError);
    CHECK_THROWS_AS(result.successful(), std::invalid_argument);
    const auto copy = result;
    CHECK(copy == result);
    const auto other = pool.apply_async(square, 2);
    CHECK(other != result);
    CHECK((other < result) == !(result < other));
    CHECK(std::hash<mp::AsyncResult<int>>{}(copy) == std::hash<mp::AsyncResult<int>>{}(result));
    tally.add(0, 1);
    CHECK(result.get() == 5);
    CHECK(result.get() == 5);
    CHECK(copy.get(0s) == 5);
    CHECK(result.wait());
    CHECK(result.ready());
    CHECK(result.successful());
    CHECK(std::move(result).get() == 5);
    CHECK(other.get() == 4);
    const auto failed = pool.apply_async([]() -> int { throw std::out_of_range("far"); });
    failed.wait();
    CHECK_FALSE(failed.successful());
    CHECK_THROWS_AS(failed.get(), std::out_of_range);
    CHECK_THROWS_AS(failed.get(), std::out_of_range);
}

TEST_CASE("a result that cannot be copied is given once", "[pool]") {
    mp::Pool pool(1);
    auto result = pool.apply_async([] { return std::make_unique<int>(3); });
    CHECK(*result.get() == 3);
    CHECK_THROWS_AS(result.get(), std::logic_error);
    auto moved = pool.apply_async([] { return std::vector<int>{1, 2}; });
    CHECK(std::move(moved).get().size() == 2);
}

TEST_CASE("many tasks run, from several threads, more than there are slots in a segment", "[pool]") {
    mp::Pool pool(2);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            std::vector<mp::AsyncResult<int>> results;
            for (int i = 0; i < 3000; ++i) results.push_back(pool.apply_async(square, i + t));
            for (int i = 0; i < 3000; ++i)
                wrong += results[static_cast<std::size_t>(i)].get() != (i + t) * (i + t);
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("results that nobody reads are dropped, and their errors logged", "[pool]") {
    const ExpectedLog log{"std::runtime_error: unseen"};
    Tally tally;
    mp::Pool pool(1);
    pool.apply_async([](Tally t) { t.add(0, 1); }, tally);
    pool.apply_async([] { throw std::runtime_error("unseen"); });
    pool.apply(square, 1); // the one worker is past them
    CHECK(tally.get(0) == 1);
    CHECK(support::eventually([&] {
        pool.apply(square, 1);
        return log.seen();
    }));
}

TEST_CASE("map applies a function to every item and keeps the order", "[pool]") {
    mp::Pool pool(2);
    for (const std::size_t size : {0u, 1u, 2u, 3u, 63u, 64u, 65u, 1000u, 100'000u}) {
        std::vector<int> numbers(size);
        std::iota(numbers.begin(), numbers.end(), -5);
        const std::vector<long> result = pool.map([](int x) { return 3L * x; }, numbers);
        REQUIRE(result.size() == size);
        bool right = true;
        for (std::size_t i = 0; i < size; ++i) right = right && result[i] == 3L * numbers[i];
        CHECK(right);
    }
    CHECK(pool.map(square, {1, 2, 3}) == std::vector{1, 4, 9});
}

TEST_CASE("map takes any range and carries any element and result", "[pool]") {
    mp::Pool pool(2);
    CHECK(pool.map([](const std::string& s) { return s.size(); }, {"a", "bb", "ccc"}) ==
          std::vector<std::size_t>{1, 2, 3});
    CHECK(pool.map(
              [](Padded p) {
                  return Padded{p.tag, p.value + 1};
              },
              std::vector<Padded>{{'a', 1}, {'b', 2}}) == std::vector<Padded>{{'a', 2}, {'b', 3}});
    CHECK(pool.map([](Person p) { return p.name + std::to_string(p.scores.size()); },
                   std::list<Person>{{"x", {1}}, {"y", {1, 2}}}) == std::vector<std::string>{"x1", "y2"});
    CHECK(pool.map(square, std::views::iota(1, 5)) == std::vector{1, 4, 9, 16});
    CHECK(pool.map(square, std::array{1, 2} | std::views::transform([](int x) { return x + 1; })) ==
          std::vector{4, 9});
    CHECK(pool.map([](int x) { return x % 2 == 0; }, {1, 2, 3, 4}) ==
          std::vector<bool>{false, true, false, true});
    CHECK(pool.map([](bool b) { return b ? 1 : 0; }, std::vector<bool>{true, false, true}) ==
          std::vector{1, 0, 1});
    CHECK(pool.map([](const std::set<int>& s) { return std::vector<int>(s.begin(), s.end()); },
                   std::vector<std::set<int>>{{3, 1}, {}}) == std::vector<std::vector<int>>{{1, 3}, {}});
    std::istringstream words{"one two three"}; // can be read once only
    CHECK(pool.map([](std::string w) { return w + "!"; }, std::ranges::istream_view<std::string>(words)) ==
          std::vector<std::string>{"one!", "two!", "three!"});
    CHECK(pool.map([](double x) { return x / 2; }, std::vector<int>{1, 3}) ==
          std::vector{0.5, 1.5}); // converted
    const auto moved = pool.map([](int x) { return std::make_unique<int>(x); }, {5, 6});
    CHECK(*moved.at(1) == 6);
    std::vector<std::unique_ptr<int>> pointers;
    pointers.push_back(std::make_unique<int>(4));
    CHECK(pool.map([](std::unique_ptr<int> p) { return *p; }, pointers) == std::vector{4});
    CHECK(*pointers[0] == 4); // the caller's own are read, not taken
    const std::vector<std::vector<double>> large(5, std::vector<double>(100'000, 1.0));
    CHECK(pool.map([](const std::vector<double>& v) { return v; }, large) == large);
}

TEST_CASE("map of a void function is void, and runs every item", "[pool]") {
    mp::Pool pool(2);
    static Tally* const used = new Tally;
    *used = Tally{};
    struct Count {
        Tally tally;
        void operator()(int index) const { tally.add(index, 1); }
    };
    STATIC_REQUIRE(std::is_void_v<decltype(pool.map(Count{*used}, std::vector<int>{}))>);
    pool.map(Count{*used}, std::views::iota(0, 64));
    for (int i = 0; i < 64; ++i) CHECK(used->get(i) == 1);
    pool.map_async(Count{*used}, {0, 0, 0}).get();
    CHECK(used->get(0) == 4);
    delete used;
}

TEST_CASE("map carries shared handles, in the function and in the elements", "[pool]") {
    mp::Pool pool(2);
    Tally a;
    Tally b;
    const std::vector<std::pair<Tally, int>> elements{{a, 1}, {b, 10}, {a, 2}, {b, 20}};
    pool.map([](const std::pair<Tally, int>& e) { e.first.add(0, e.second); }, elements);
    CHECK(a.get(0) == 3);
    CHECK(b.get(0) == 30);
    pool.starmap([](Tally& t, int by) { t.add(1, by); }, elements);
    CHECK(a.get(1) == 3);
    CHECK(pool.apply([](Tally t) { return t.get(1); }, b) == 30);
    // The last helper of a map may still be on its way out of it.
    CHECK(support::eventually([&] {
        pool.apply([] {});
        mp::detail::leases().collect();
        return mp::detail::leases().count() == 0;
    }));
}

TEST_CASE("starmap spreads tuples, pairs and arrays over the parameters", "[pool]") {
    mp::Pool pool(2);
    const auto multiply = [](int x, int y) { return x * y; };
    CHECK(pool.starmap(multiply, {{2, 3}, {4, 5}}) == std::vector{6, 20});
    CHECK(pool.starmap(multiply, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}) == std::vector{2, 12});
    CHECK(pool.starmap(multiply, std::vector<std::array<int, 2>>{{5, 6}}) == std::vector{30});
    CHECK(pool.starmap(mixed, {{1, 0.5, "xyz"}}) == std::vector{4.5});
    CHECK(pool.starmap(mixed, std::vector<std::tuple<int, int, const char*>>{{1, 2, "xyz"}}) ==
          std::vector{6.0});
    CHECK(pool.starmap_async(multiply, {{7, 7}}).get() == std::vector{49});
    CHECK(pool.starmap([](auto x, auto y) { return x + y; },
                       std::vector<std::tuple<std::string, std::string>>{{"a", "b"}}) ==
          std::vector<std::string>{"ab"});
    CHECK(pool.starmap(multiply, std::vector<std::tuple<int, int>>{}).empty());
}

TEST_CASE("several maps run at once", "[pool]") {
    mp::Pool pool(2);
    std::vector<mp::AsyncResult<std::vector<int>>> results;
    for (int i = 0; i < 20; ++i)
        results.push_back(pool.map_async([](int x) { return x + 1; }, std::vector<int>(1000, i)));
    for (int i = 0; i < 20; ++i)
        CHECK(results[static_cast<std::size_t>(i)].get() == std::vector<int>(1000, i + 1));
}

TEST_CASE("a chunksize is honoured exactly: each chunk is one worker's", "[pool]") {
    mp::Pool pool(4);
    const auto who = [](int) {
        std::this_thread::sleep_for(1ms);
        return mp::current_process().pid();
    };
    const auto pids = pool.map(who, std::views::iota(0, 35), {.chunksize = 10});
    REQUIRE(pids.size() == 35);
    for (std::size_t i = 0; i < pids.size(); ++i) CHECK(pids[i] == pids[i / 10 * 10]);
    CHECK(mp::detail::cut(35, 10, 4, 0) == std::vector<std::uint64_t>{10, 10, 10, 5});
    CHECK(mp::detail::cut(30, 10, 4, 0) == std::vector<std::uint64_t>{10, 10, 10});
    CHECK(mp::detail::cut(5, 10, 4, 0) == std::vector<std::uint64_t>{5});
    CHECK_THROWS_AS(pool.map(square, {1}, {.chunksize = -1}), std::invalid_argument);
}

TEST_CASE("guided chunks begin large and end with single items", "[pool]") {
    const auto sizes = mp::detail::cut(1'000'000, 0, 2, 0);
    CHECK(sizes.size() < 60); // 2W ln(N/2W) + 2W
    CHECK(sizes.front() == 250'000);
    CHECK(sizes.back() == 1);
    CHECK(std::is_sorted(sizes.rbegin(), sizes.rend()));
    CHECK(std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}) == 1'000'000);
    for (const auto size : mp::detail::cut(1000, 0, 2, 10)) CHECK(size <= 10);
}

TEST_CASE("progress is reported while a map runs, and at its end", "[pool]") {
    mp::Pool pool(2);
    struct LastWaits { // until something was reported
        mp::Event reported;
        void operator()(int x) const {
            std::this_thread::sleep_for(5ms);
            if (x == 99) reported.wait();
        }
    };
    const LastWaits waits{};
    std::vector<mp::ProgressReport> reports;
    pool.map(waits, std::views::iota(0, 100), {.progress = [&](const mp::ProgressReport& report) {
                 reports.push_back(report);
                 waits.reported.set();
             }});
    REQUIRE(reports.size() >= 2);
    for (std::size_t i = 1; i < reports.size(); ++i) CHECK(reports[i].done >= reports[i - 1].done);
    CHECK(reports.front().done < 100);
    CHECK(reports.back().done == 100);
    for (const auto& report : reports) CHECK(report.total == 100);
    CHECK(reports.back().per_second() > 0);
    CHECK(reports.back().seconds_left() == 0);
}

TEST_CASE("memory stays flat over many maps and tasks", "[pool]") {
    mp::Pool pool(2);
    auto& space = mp::detail::tree().space;
    const std::vector<double> numbers(200'000, 1.0);
    const std::vector<std::string> words(2000, std::string(200, 'x'));
    std::uint64_t mark = 0;
    for (int round = 0; round < 60; ++round) {
        pool.map([](double x) { return x; }, numbers);
        pool.map([](const std::string& s) { return s + s; }, words);
        pool.apply([](const std::vector<double>& v) { return v; }, numbers);
        if (round == 20) mark = space.high_water();
    }
    CHECK(space.high_water() <= mark + 64); // 4 MiB: a worker's warm blocks may move about
    pool.close();
    pool.join();
}

TEST_CASE("a null pointer to a function is refused where the call is made", "[pool]") {
    mp::Pool pool(1);
    int (*const nothing)(int) = nullptr;
    CHECK_THROWS_AS(pool.apply(nothing, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.map_async(nothing, {1, 2}), std::invalid_argument);
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("map and starmap take the elements of maps, and of views over them", "[pool]") {
    mp::Pool pool(2);
    const std::map<std::string, int> map{{"a", 1}, {"b", 2}};
    const auto by_entry = [](const std::pair<const std::string, int>& entry) { return entry.second; };
    CHECK(pool.map(by_entry, map) == std::vector<int>{1, 2});
    CHECK(pool.map([](std::pair<std::string, int> entry) { return entry.first + "!"; }, map) ==
          std::vector<std::string>{"a!", "b!"});
    CHECK(pool.map([](const auto& entry) { return entry.first; }, map) == std::vector<std::string>{"a", "b"});
    CHECK(pool.map(by_entry, map | std::views::reverse) == std::vector<int>{2, 1});
    CHECK(pool.map(by_entry, map | std::views::filter([](auto& entry) { return entry.second > 1; })) ==
          std::vector<int>{2});
    CHECK(pool.starmap([](const std::string& key, int value) { return key + std::to_string(value); }, map) ==
          std::vector<std::string>{"a1", "b2"});
    const std::unordered_map<int, double> unordered{{1, 1.5}};
    CHECK(pool.map([](std::pair<const int, double> entry) { return entry.second; }, unordered).at(0) == 1.5);
    const std::multimap<int, std::string> multimap{{1, "x"}, {1, "y"}};
    CHECK(pool.map([](const std::pair<const int, std::string>& entry) { return entry.second; }, multimap) ==
          std::vector<std::string>{"x", "y"});
    std::vector<std::pair<const int, int>> flat;
    flat.emplace_back(1, 2);
    flat.emplace_back(3, 4);
    CHECK(pool.map([](const std::pair<const int, int>& entry) { return entry.second; }, flat) ==
          std::vector<int>{2, 4});
    CHECK(pool.starmap([](int a, int b) { return a + b; }, flat) == std::vector<int>{3, 7});
    std::map<int, std::unique_ptr<int>> owners;
    owners[1] = std::make_unique<int>(6);
    CHECK(
        pool.map([](const std::pair<const int, std::unique_ptr<int>>& entry) { return *entry.second; }, owners)
            .at(0) == 6);
    CHECK(pool.apply(by_entry, *map.begin()) == 1);
}

TEST_CASE("an argument given as an rvalue is consumed where the call is written", "[pool]") {
    const auto read = [](const std::unique_ptr<int>& pointer) { return *pointer; };
    auto pointer = std::make_unique<int>(3);
    mp::Process p([](std::unique_ptr<int> given) { std::exit(*given); }, std::move(pointer));
    CHECK_FALSE(pointer);
    p.start();
    p.join();
    CHECK(p.exitcode() == 3);
    mp::Pool pool(1);
    pointer = std::make_unique<int>(4);
    CHECK(pool.apply(read, pointer) == 4);
    CHECK(pointer);
    const auto result = pool.apply_async(read, std::move(pointer));
    CHECK_FALSE(pointer);
    CHECK(result.get() == 4);
    std::vector<std::unique_ptr<int>> all;
    for (int i = 0; i < 3; ++i) all.push_back(std::make_unique<int>(i));
    CHECK(pool.map(read, all) == std::vector<int>{0, 1, 2});
    CHECK(all[1]);
    CHECK(pool.map(read, std::ranges::subrange(std::move_iterator(all.begin()),
                                               std::move_iterator(all.end()))) == std::vector<int>{0, 1, 2});
    CHECK_FALSE(all[1]);
    for (auto& one : all) one = std::make_unique<int>(7);
    CHECK(pool.map(read, std::move(all)) == std::vector<int>{7, 7, 7});
    CHECK(all.empty());
    pool.close();
    pointer = std::make_unique<int>(5);
    CHECK_THROWS_AS(pool.apply(read, std::move(pointer)), std::invalid_argument);
    CHECK(pointer); // what was not accepted is still the caller's
}
