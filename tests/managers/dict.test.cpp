// SPDX-License-Identifier: BSL-1.0
#include <managers/support.hpp>

#include <map>
#include <string>

using namespace process;

TEST_CASE("a managed dict keeps what was set", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"a", 1}});
    d["b"] = 2;
    CHECK(d["a"] == 1);
    CHECK(d["b"] == 2);
    d["a"] += 5;
    const int a = d["a"];
    CHECK(a == 6);
    CHECK(d.size() == 2);
    CHECK(d.copy() == std::map<std::string, int>{{"a", 6}, {"b", 2}});
    CHECK_THROWS_AS(d.at("z"), std::out_of_range);
    CHECK_THROWS_AS(d["z"] += 1, std::out_of_range);
    CHECK(d.update_with("b", [](int& v) { return v *= 10; }) == 20);
    CHECK(d.get("b") == 20);
}
