// SPDX-License-Identifier: BSL-1.0
// imap as a range, and the ranges that it takes.
#include <support/inputs.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <algorithm>
#include <concepts>
#include <deque>
#include <forward_list>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace process;

namespace {

int square(int x) { return x * x; }
std::string text_of(int x) { return std::to_string(x); }
std::size_t length(const std::string& text) { return text.size(); }
std::unique_ptr<int> make(int x) { return std::make_unique<int>(x); }

struct Unwritable {
    int value = 0;
    template <class Archive>
    void save(Archive& ar) const {
        if (value == 4) throw std::domain_error("not to be written");
        ar(value);
    }
    template <class Archive>
    void load(Archive& ar) {
        ar(value);
    }
};

template <class R>
std::vector<R> all_of(mp::pool::IMapIterator<R>& results) {
    std::vector<R> all;
    for (auto&& result : results) all.push_back(std::forward<decltype(result)>(result));
    return all;
}
template <class R>
std::vector<R> all_of(mp::pool::IMapIterator<R>&& results) {
    return all_of(results);
}

using Ints = mp::pool::IMapIterator<int>;
using Pointers = mp::pool::IMapIterator<std::unique_ptr<int>>;

} // namespace

TEST_CASE("what imap returns is an input range that is moved", "[pool]") {
    STATIC_REQUIRE(std::ranges::input_range<Ints>);
    STATIC_REQUIRE_FALSE(std::ranges::forward_range<Ints>);
    STATIC_REQUIRE_FALSE(std::ranges::view<Ints>);
    STATIC_REQUIRE(std::movable<Ints>);
    STATIC_REQUIRE_FALSE(std::copyable<Ints>);
    STATIC_REQUIRE(std::ranges::input_range<Pointers>);
    STATIC_REQUIRE(std::is_same_v<std::ranges::range_value_t<Ints>, int>);
    STATIC_REQUIRE(std::is_same_v<std::ranges::range_reference_t<Pointers>, std::unique_ptr<int>&&>);
}

TEST_CASE("algorithms walk what imap returns", "[pool]") {
    mp::Pool pool(2);
    std::vector<int> copied;
    std::ranges::copy(pool.imap(square, std::views::iota(0, 100)), std::back_inserter(copied));
    REQUIRE(copied.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(copied[static_cast<std::size_t>(i)] == i * i);
    int sum = 0;
    std::ranges::for_each(pool.imap_unordered(square, std::views::iota(0, 100)), [&](int x) { sum += x; });
    CHECK(sum == 328350);
    CHECK(std::ranges::count_if(pool.imap(square, std::views::iota(0, 100)),
                                [](int x) { return x % 2 == 0; }) == 50);
    auto results = pool.imap(square, std::views::iota(0, 100));
    const auto found = std::ranges::find(results, 49);
    CHECK(found != results.end());
    CHECK(*found == 49);
    CHECK(results.next() == 64);
    CHECK(std::ranges::distance(results) == 91);
    CHECK(std::ranges::all_of(pool.imap(make, {1, 2, 3}), [](auto&& pointer) { return *pointer > 0; }));
}

TEST_CASE("views of what imap returns compute no more than they show", "[pool]") {
    mp::Pool pool(2);
    std::vector<int> taken;
    for (const int x : pool.imap(square, std::views::iota(0)) | std::views::take(5)) taken.push_back(x);
    CHECK(taken == std::vector{0, 1, 4, 9, 16});
    auto results = pool.imap(square, std::views::iota(0));
    taken.clear();
    for (const int x : results | std::views::filter([](int y) { return y % 2 == 1; }) | std::views::take(3))
        taken.push_back(x);
    CHECK(taken == std::vector{1, 9, 25});
    std::vector<std::string> texts;
    auto ten = pool.imap(square, std::views::iota(0, 10));
    for (const std::string& text : ten | std::views::transform([](int x) { return std::to_string(x); }))
        texts.push_back(text);
    CHECK(texts == std::vector<std::string>{"0", "1", "4", "9", "16", "25", "36", "49", "64", "81"});
    taken.clear();
    for (const int x : pool.imap(square, std::views::iota(0)) | std::views::drop(2) |
                           std::views::take_while([](int y) { return y < 50; }))
        taken.push_back(x);
    CHECK(taken == std::vector{4, 9, 16, 25, 36, 49});
    std::vector<int> pointed;
    for (const int x : pool.imap(make, std::views::iota(0)) |
                           std::views::transform([](auto&& p) { return *p; }) | std::views::take(3))
        pointed.push_back(x);
    CHECK(pointed == std::vector{0, 1, 2});
}

TEST_CASE("a view that takes some results waits for no more of them", "[pool]") {
    mp::Pool pool(1);
    struct FourthWaits {
        mp::Event go;
        int operator()(int x) const {
            if (x == 3) go.wait();
            return x;
        }
    };
    const FourthWaits waits{};
    std::vector<int> taken;
    {
        auto results = pool.imap(waits, std::views::iota(0, 10), {.chunksize = 1});
        for (const int x : results | std::views::take(3)) taken.push_back(x);
    }
    CHECK(taken == std::vector{0, 1, 2});
    waits.go.set();
}

TEST_CASE("the results of one imap are the items of another", "[pool]") {
    mp::Pool pool(2);
    mp::Pool other(1);
    std::vector<std::size_t> lengths;
    for (const std::size_t x :
         other.imap(length, pool.imap(text_of, pool.imap(square, std::views::iota(0, 200)))))
        lengths.push_back(x);
    REQUIRE(lengths.size() == 200);
    for (std::size_t i = 0; i < 200; ++i) CHECK(lengths[i] == std::to_string(i * i).size());
    auto endless = pool.imap(text_of, pool.imap(square, std::views::iota(0)));
    for (int i = 0; i < 20; ++i) CHECK(endless.next() == std::to_string(i * i));
    CHECK(pool.map(square, pool.imap(square, std::views::iota(0, 4))) == std::vector{0, 1, 16, 81});
}

TEST_CASE("an iterator that is moved goes on where it was", "[pool]") {
    mp::Pool pool(2);
    int read = 0;
    auto results = pool.imap(square, Numbers{read, 10});
    CHECK(results.next() == 0);
    CHECK(*results.begin() == 1);
    auto moved = std::move(results);
    CHECK(*moved.begin() == 1);
    const auto held = std::make_unique<Ints>(std::move(moved));
    CHECK(held->next() == 4);
    std::vector<Ints> grows;
    grows.push_back(std::move(*held));
    for (int i = 0; i < 5; ++i) grows.push_back(pool.imap(square, {i}));
    CHECK(all_of(grows[0]) == std::vector{9, 16, 25, 36, 49, 64, 81});
    CHECK(grows[5].next() == 16);
}

TEST_CASE("a range that is given as an rvalue moves into the iterator", "[pool]") {
    mp::Pool pool(2);
    const auto start = [&] {
        std::vector<std::string> words{"a", "bb", "ccc"};
        auto results = pool.imap(length, std::move(words), {.chunksize = 1, .buffersize = 1});
        CHECK(words.empty());
        return results;
    };
    CHECK(all_of(start()) == std::vector<std::size_t>{1, 2, 3});
    const auto from_view = [&] {
        auto words = std::make_unique<std::vector<std::string>>(std::vector<std::string>{"x", "yyyy"});
        return pool.imap(length, std::ranges::owning_view(std::move(*words)), {.buffersize = 1});
    };
    CHECK(all_of(from_view()) == std::vector<std::size_t>{1, 4});
}

TEST_CASE("a range that is given as an lvalue is read in place", "[pool]") {
    mp::Pool pool(1);
    int read = 0;
    Numbers numbers{read, 10};
    auto results = pool.imap(square, numbers, {.chunksize = 1, .buffersize = 1});
    CHECK(read == 1);
    CHECK(results.next() == 0);
    CHECK(results.next() == 1);
    CHECK(read == 2);
    CHECK(*Numbers::Iterator{numbers} == 1); // it has come no further
    std::vector<int> growing{1, 2};
    growing.reserve(10);
    auto from_vector = pool.imap(square, std::views::all(growing), {.chunksize = 1, .buffersize = 1});
    growing[1] = 5; // not read yet
    CHECK(from_vector.next() == 1);
    CHECK(from_vector.next() == 25);
}

TEST_CASE("imap takes any input range", "[pool]") {
    mp::Pool pool(2);
    const std::vector<int> squares{1, 4, 9};
    CHECK(all_of(pool.imap(square, std::list<int>{1, 2, 3})) == squares);
    CHECK(all_of(pool.imap(square, std::deque<int>{1, 2, 3})) == squares);
    CHECK(all_of(pool.imap(square, std::set<int>{1, 2, 3})) == squares);
    CHECK(all_of(pool.imap(square, std::forward_list<int>{1, 2, 3})) == squares);
    CHECK(all_of(pool.imap(square, std::vector<short>{1, 2, 3})) == squares);
    CHECK(all_of(pool.imap(square, mp::shared_vector<int>{1, 2, 3})) == squares);
    std::istringstream stream("1 2 3");
    CHECK(all_of(pool.imap(square, std::views::istream<int>(stream))) == squares);
    const std::vector<int> many{1, 0, 2, 0, 3};
    CHECK(all_of(pool.imap(square, many | std::views::filter([](int x) { return x != 0; }))) == squares);
    CHECK(all_of(pool.imap(square, many | std::views::take(1))) == std::vector{1});
    CHECK(all_of(pool.imap([](bool x) { return !x; }, std::vector<bool>{true, false, true})) ==
          std::vector<bool>{false, true, false});
    const std::map<std::string, int> ages{{"Ada", 36}, {"Alan", 41}};
    CHECK(all_of(pool.imap([](const std::pair<const std::string, int>& x) { return x.second; }, ages)) ==
          std::vector{36, 41});
    CHECK(all_of(pool.imap(length, {"one", "three"})) == std::vector<std::size_t>{3, 5});
    std::vector<std::unique_ptr<int>> pointers;
    for (int i = 0; i < 3; ++i) pointers.push_back(std::make_unique<int>(i));
    CHECK(all_of(pool.imap([](const std::unique_ptr<int>& p) { return *p; }, pointers)) ==
          std::vector{0, 1, 2});
}

TEST_CASE("what an input throws comes behind the results before it", "[pool]") {
    mp::Pool pool(2);
    for (const bool in_increment : {false, true}) {
        for (const std::size_t chunksize : {0u, 1u, 4u, 100u}) {
            for (const std::size_t buffersize : {0u, 1u, 3u}) {
                INFO("in increment " << in_increment << " chunksize " << chunksize << " buffersize "
                                     << buffersize);
                int read = 0;
                auto results = pool.imap(square, Numbers{read, 100, {17, in_increment}},
                                         {.chunksize = chunksize, .buffersize = buffersize});
                for (int i = 0; i < 17; ++i) CHECK(results.next() == i * i);
                CHECK_THROWS_WITH(results.next(), "the input ends at 17");
                CHECK_FALSE(results.next());
                CHECK(read <= 18);
                int count = 0;
                for (auto unordered = pool.imap_unordered(square, Numbers{read, 100, {17, in_increment}},
                                                          {.chunksize = chunksize, .buffersize = buffersize});
                     ; ++count) {
                    try {
                        if (!unordered.next()) break;
                    } catch (const std::range_error&) { --count; }
                }
                CHECK(count == 17);
            }
        }
    }
}

TEST_CASE("an item that cannot be written comes behind the results before it", "[pool]") {
    mp::Pool pool(2);
    const auto value_of = [](const Unwritable& x) { return x.value; };
    for (const std::size_t chunksize : {0u, 1u, 3u, 100u}) {
        std::vector<Unwritable> items;
        for (int i = 0; i < 10; ++i) items.push_back({i});
        auto results = pool.imap(value_of, items, {.chunksize = chunksize});
        for (int i = 0; i < 4; ++i) CHECK(results.next() == i);
        CHECK_THROWS_AS(results.next(), std::domain_error);
        CHECK_FALSE(results.next());
    }
}

TEST_CASE("imap gives away the elements of a range of rvalues", "[pool]") {
    mp::Pool pool(2);
    const auto value_of = [](const std::unique_ptr<int>& x) { return *x; };
    std::vector<std::unique_ptr<int>> pointers;
    for (int i = 0; i < 5; ++i) pointers.push_back(std::make_unique<int>(i));
    {
        auto results = pool.imap(value_of, std::ranges::subrange(std::move_iterator(pointers.begin()),
                                                                 std::move_iterator(pointers.end())));
        for (int i = 0; i < 5; ++i) CHECK(results.next() == i);
    }
    for (const auto& pointer : pointers) CHECK_FALSE(pointer);
    int sum = 0;
    for (const int x : pool.imap(value_of, pool.imap(make, std::views::iota(0, 50)))) sum += x;
    CHECK(sum == 1225);
    std::vector<std::unique_ptr<int>> moved;
    for (int i = 0; i < 5; ++i) moved.push_back(std::make_unique<int>(i));
    auto results = pool.imap(value_of, std::move(moved));
    for (int i = 0; i < 5; ++i) CHECK(results.next() == i);
}

TEST_CASE("an input that throws at once is an error of its own place", "[pool]") {
    mp::Pool pool(1);
    int read = 0;
    auto results = pool.imap(square, Numbers{read, 100, {0, true}});
    CHECK_THROWS_AS(results.next(), std::range_error);
    CHECK_FALSE(results.next());
    CHECK(pool.apply(square, 3) == 9);
}
