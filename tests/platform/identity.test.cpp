// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

TEST_CASE("random bytes are new each time, in all of the room", "[identity]") {
    std::array<std::byte, 64> first{};
    std::array<std::byte, 64> second{};
    multiprocessing::detail::platform::fill_random(first);
    multiprocessing::detail::platform::fill_random(second);
    // Four zeros in a row at either end: once in four billion.
    const auto is_zero = [](std::byte byte) { return byte == std::byte{}; };
    for (const auto& bytes : {first, second}) {
        CHECK_FALSE(std::all_of(bytes.begin(), bytes.begin() + 4, is_zero));
        CHECK_FALSE(std::all_of(bytes.end() - 4, bytes.end(), is_zero));
    }
    CHECK(first != second);
}
