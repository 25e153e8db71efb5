// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/process_memory.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

using namespace contracts;

#if !defined(_WIN32) // not every Wine counts it
TEST_CASE("memory that a process has touched is counted", "[process_memory]") {
    const int self = platform::current_pid();
    const auto estimated = platform::estimate_memory(self);
    const auto measured = platform::measure_memory(self);
    REQUIRE(estimated);
    REQUIRE(measured);
    constexpr std::size_t size = std::size_t{64} << 20;
    const std::unique_ptr<char[]> memory(new char[size]);
    std::fill_n(memory.get(), size, 'x');
    constexpr std::size_t nearly = size / 10 * 9; // other threads may have freed some
    CHECK(platform::estimate_memory(self).value() >= *estimated + nearly);
    CHECK(platform::measure_memory(self).value() >= *measured + nearly);
    CHECK(memory[size / 2] == 'x');
}

TEST_CASE("there is no figure of a process that is gone", "[process_memory]") {
    auto child = platform::spawn(child_program({"exit", "0"}));
    const int pid = child.pid();
    end_of(child);
    CHECK_FALSE(platform::estimate_memory(pid));
    CHECK_FALSE(platform::measure_memory(pid));
}
#endif
