// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace process;

namespace {

struct Point {
    int x = 0;
    int y = 0;
    bool operator==(const Point&) const = default;
};

} // namespace

TEST_CASE("a managed dict has the methods of Python's", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"b", 2}, {"a", 1}});
    CHECK(d.keys() == std::vector<std::string>{"b", "a"}); // in order of insertion
    CHECK(d.values() == std::vector<int>{2, 1});
    CHECK(d.setdefault("c", 3) == 3);
    CHECK(d.setdefault("c", 4) == 3);
    CHECK(d.insert("c", 4) == false);
    CHECK(d.pop("c") == 3);
    CHECK(d.pop("c", 7) == 7);
    CHECK_THROWS_AS(d.pop("c"), std::out_of_range);
    CHECK(d.get("z", 5) == 5);
    CHECK(d.get("z") == std::nullopt);
    d.update(std::map<std::string, int>{{"x", 8}});
    d |= std::map<std::string, int>{{"y", 9}};
    CHECK((d | std::map<std::string, int>{{"a", 100}}).at("a") == 100);
    CHECK(d.popitem() == std::pair<std::string, int>("y", 9));
    CHECK(d.erase("x"));
    CHECK_FALSE(d.erase("x"));
    CHECK(d.update_with(
              "n", 10, [](int& v, int by) { return v += by; }, 5) == 15);
    std::vector<std::string> seen;
    for (auto [key, value] : d) seen.push_back(key + std::to_string(value));
    CHECK(seen == std::vector<std::string>{"b2", "a1", "n15"});
    d["a"] *= 6;
    ++d["a"];
    CHECK(d["a"]++ == 7);
    CHECK(d["a"] == 8);
    auto other = manager.dict<std::string, int>(d.copy());
    CHECK(other.size() == 3);
    CHECK_FALSE(other == d);
    d.clear();
    CHECK(d.empty());
    CHECK_THROWS_AS(d.popitem(), std::out_of_range);
    auto points = manager.dict<int, Point>();
    points[1] = {2, 3};
    points.update_with(1, [](Point& p) { p.x = 7; });
    CHECK(points.at(1) == Point{7, 3});
}

TEST_CASE("a managed list has the methods of Python's", "[managers]") {
    auto manager = mp::Manager();
    auto l = manager.list<int>({3, 1, 2});
    l.append(5);
    l.extend(std::vector<int>{4, 4});
    CHECK(l.copy() == std::vector<int>{3, 1, 2, 5, 4, 4});
    CHECK(l[-1] == 4);
    CHECK(l.pop() == 4);
    CHECK(l.pop(0) == 3);
    l.insert(0, 9);
    l.sort();
    CHECK(l.copy() == std::vector<int>{1, 2, 4, 5, 9});
    l.sort([](int a, int b) { return a > b; });
    l.reverse();
    l.sort_by([](int v) { return v % 2; });
    CHECK(l.copy() == std::vector<int>{2, 4, 1, 5, 9});
    CHECK(l.index(1) == 2);
    CHECK(l.count(9) == 1);
    CHECK(l.contains(4));
    l.remove(4);
    CHECK_THROWS_AS(l.remove(4), std::invalid_argument);
    l[0] += 10;
    CHECK(l[0] == 12);
    CHECK(l.update_with(0, [](int& v) { return --v; }) == 11);
    CHECK_THROWS_AS(l.at(4), std::out_of_range);
    CHECK_THROWS_AS(l.at(-5), std::out_of_range);
    l *= 2;
    CHECK(l.size() == 8);
    CHECK(l.slice(1, -5) == std::vector<int>{1, 5});
    CHECK(l.slice({}, {}, -3) == std::vector<int>{9, 11, 1});
    l.set_slice(0, 4, {7});
    CHECK(l.copy() == std::vector<int>{7, 11, 1, 5, 9});
    l.erase_slice({}, {}, 2);
    CHECK(l.copy() == std::vector<int>{11, 5});
    l.erase(0);
    int sum = 0;
    for (const int v : l) sum += v;
    CHECK(sum == 5);
    l.clear();
    CHECK(l.empty());
}

TEST_CASE("a managed set has the methods of Python's", "[managers]") {
    auto manager = mp::Manager();
    auto s = manager.set<int>({1, 2});
    CHECK(s.add(3));
    CHECK_FALSE(s.add(3));
    CHECK(s.contains(2));
    CHECK(s.discard(2));
    CHECK_FALSE(s.discard(2));
    CHECK_THROWS_AS(s.remove(2), std::out_of_range);
    CHECK((s | std::set<int>{7}) == std::set<int>{1, 3, 7});
    CHECK((s & std::set<int>{3, 4}) == std::set<int>{3});
    CHECK((s - std::set<int>{3}) == std::set<int>{1});
    CHECK((s ^ std::set<int>{3, 4}) == std::set<int>{1, 4});
    s |= {5};
    s -= {1};
    CHECK(s.copy() == std::set<int>{3, 5});
    CHECK(s.issubset({3, 4, 5}));
    CHECK(s.issuperset({3}));
    CHECK(s.isdisjoint({1}));
    CHECK(s.pop() == 3);
    s.clear();
    CHECK_THROWS_AS(s.pop(), std::out_of_range);
}

TEST_CASE("a managed namespace holds values by name and type", "[managers]") {
    auto manager = mp::Manager();
    auto ns = manager.Namespace();
    ns.set("x", 10);
    ns.set("y", "hello");
    CHECK(ns.get<int>("x") == 10);
    CHECK(ns.get<std::string>("y") == "hello");
    CHECK(ns.get<int>("z", 4) == 4);
    CHECK_THROWS_AS(ns.get<int>("z"), std::out_of_range);
    CHECK_THROWS_AS(ns.get<double>("x"), mp::SerializationError);
    ns.set("list", manager.list<int>({1}));
    ns.get<mp::managers::ListProxy<int>>("list").append(2);
    CHECK(ns.get<mp::managers::ListProxy<int>>("list").size() == 2);
    CHECK(ns.update_with<int>("x", [](int& v) { return v += 1; }) == 11);
    CHECK(ns.names() == std::vector<std::string>{"list", "x", "y"});
    CHECK(ns.erase("list"));
    CHECK_FALSE(ns.contains("list"));
}

TEST_CASE("containers are made, and extended, of any range, also of other containers", "[managers]") {
    auto manager = mp::Manager();
    const std::vector<int> numbers{1, 2, 3, 4};
    auto even = numbers | std::views::filter([](int x) { return x % 2 == 0; }); // no range when const
    auto l = manager.list<int>(even);
    CHECK(l.copy() == std::vector<int>{2, 4});
    l.extend(l);
    l += numbers | std::views::filter([](int x) { return x > 2; });
    CHECK(l.copy() == std::vector<int>{2, 4, 2, 4, 3, 4});
    CHECK(manager.list<int>(l).copy() == l.copy());
    CHECK(manager.set<int>(l).copy() == std::set<int>{2, 3, 4});
    CHECK(manager.set<int>(manager.set<int>({7})).copy() == std::set<int>{7});
    CHECK(manager.Array<int>(numbers).copy() == numbers);
    auto d = manager.dict<int, int>(even | std::views::transform([](int x) { return std::pair(x, x * x); }));
    CHECK(d.size() == 2);
    d.update(even | std::views::transform([](int x) { return std::pair(x + 1, 0); }));
    CHECK(d.size() == 4);
}

TEST_CASE("a managed list that would be too long, and a negative semaphore, are refused at once",
          "[managers]") {
    auto manager = mp::Manager();
    auto l = manager.list<int>({1, 2});
    // Not the memory that there is, but what a list can have at most.
    CHECK_THROWS_AS(l *= std::numeric_limits<mp::managers::ListProxy<int>::Index>::max(), std::length_error);
    CHECK(l.size() == 2);
    CHECK_THROWS_AS(manager.Semaphore(-1), std::invalid_argument);
    CHECK_THROWS_AS(manager.BoundedSemaphore(-1), std::invalid_argument);
    CHECK_THROWS_AS(manager.Semaphore(1).release(-1), std::invalid_argument);
}

TEST_CASE("arithmetic that a processor refuses does not end the server", "[managers]") {
    auto manager = mp::Manager();
    auto value = manager.Value<int>(std::numeric_limits<int>::min());
    CHECK_THROWS_AS(value /= 0, std::domain_error);
    CHECK_THROWS_AS(value /= -1, std::overflow_error);
    auto l = manager.list<int>({1, 2, 3});
    CHECK_THROWS_AS(l[0] %= 0, std::domain_error);
    using Index = mp::managers::ListProxy<int>::Index;
    constexpr Index most = std::numeric_limits<Index>::max();
    CHECK(l.slice(1, {}, most) == std::vector<int>{2});
    CHECK(l.slice({}, {}, -most) == std::vector<int>{3});
    l.clear();
    l *= most;
    CHECK(l.empty());
    auto semaphore = manager.Semaphore(0);
    semaphore.release(std::numeric_limits<std::size_t>::max());
    CHECK_THROWS_AS(semaphore.release(), std::invalid_argument);
}

TEST_CASE("a method or initializer that throws no std exception gives a RemoteError", "[managers]") {
    auto manager = mp::Manager();
    auto value = manager.Value<int>(1);
    CHECK_THROWS_AS(value.update_with([](int&) { throw 7; }), mp::RemoteError);
    CHECK(value.get() == 1);
    const auto make = [] { auto other = mp::Manager([] { throw 7; }); };
    CHECK_THROWS_AS(make(), mp::RemoteError);
}
