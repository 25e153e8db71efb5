// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/space/number_table.hpp>

#include <cstdint>
#include <map>
#include <random>

using namespace multiprocessing::detail;

TEST_CASE("a table of numbers knows what a map would know, through any order of adding and removing",
          "[number_table]") {
    struct Numbered {
        std::uint64_t number;
        std::uint32_t shape;
    };
    NumberTable<Numbered> table;
    std::map<std::uint64_t, std::uint32_t> expected;
    std::mt19937 random{7};
    CHECK_FALSE(table.contains(1));
    table.erase(1);
    std::uint64_t wrong = 0;
    for (int step = 0; step < 200'000; ++step) {
        // Neighbours, as extents are, and few enough that the table fills and empties again.
        const std::uint64_t number = random() % (step / 50'000 % 2 ? 40 : 3000);
        if (random() % 5 < (step / 25'000 % 2 ? 1u : 3u)) {
            const auto shape = static_cast<std::uint32_t>(random());
            table.put({number, shape});
            expected[number] = shape;
        } else {
            table.erase(number);
            expected.erase(number);
        }
        const auto known = expected.find(number);
        const Numbered* const found = table.find(number);
        wrong += table.size() != expected.size();
        wrong += (found != nullptr) != (known != expected.end());
        if (found && known != expected.end()) wrong += found->shape != known->second;
        if (step % 1000 != 0) continue;
        for (std::uint64_t other = 0; other < 3000; ++other) {
            wrong += table.contains(other) != (expected.count(other) != 0);
        }
        std::size_t seen = 0;
        table.for_each([&](const Numbered& extent) { seen += expected.count(extent.number); });
        wrong += seen != expected.size();
    }
    CHECK(wrong == 0);
}
