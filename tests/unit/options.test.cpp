// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/count.hpp>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>

using multiprocessing::Count;

namespace {
constexpr std::size_t number_of(Count count) { return count.value(); }
} // namespace

static_assert(number_of({}) == 0);
static_assert(number_of(4) == 4 && number_of(4u) == 4 && number_of(std::uint8_t{4}) == 4);
static_assert(Count(0).value_or(7) == 7 && Count(3).value_or(7) == 3);
static_assert(Count(3) == Count(3u) && Count(3) != Count(4));
static_assert(!std::is_convertible_v<double, Count> && !std::is_constructible_v<Count, double>);
static_assert(!std::is_convertible_v<float, Count> && !std::is_convertible_v<bool, Count>);
static_assert(!std::is_convertible_v<char, Count> && !std::is_convertible_v<char32_t, Count>);
static_assert(!std::is_convertible_v<int*, Count>);

TEST_CASE("a negative count is refused where it is written, with its value", "[options]") {
    CHECK_THROWS_AS(number_of(-1), std::invalid_argument);
    CHECK_THROWS_WITH(number_of(std::int64_t{-42}),
                      ContainsSubstring("-42 is negative; give 0 for the default"));
    CHECK_THROWS_AS(number_of((std::numeric_limits<std::int64_t>::min)()), std::invalid_argument);
}

TEST_CASE("the largest count is kept whole", "[options]") {
    const auto most = (std::numeric_limits<std::size_t>::max)();
    CHECK(number_of(most) == most);
    CHECK(number_of((std::numeric_limits<std::int64_t>::max)()) == most / 2);
}
