// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/affinity.hpp>

#include <cstddef>
#include <system_error>
#include <thread>

using namespace contracts;

namespace {

std::size_t count(const platform::ProcessorSet& processors) {
    std::size_t number = 0;
    for (std::size_t i = 0; i < platform::ProcessorSet::most; ++i) number += processors.has(i);
    return number;
}

} // namespace

TEST_CASE("a process may run somewhere", "[affinity]") {
    CHECK(count(platform::allowed_affinity()) >= 1);
    CHECK_FALSE(platform::allowed_affinity().has(platform::ProcessorSet::most)); // beyond the end
}

TEST_CASE("what is set is what is allowed then", "[affinity]") {
    const platform::ProcessorSet before = platform::allowed_affinity();
    platform::ProcessorSet first;
    for (std::size_t i = 0; count(first) == 0; ++i) {
        if (before.has(i)) first.add(i);
    }
    std::size_t then = 0;
    bool is_the_one = false;
    std::thread([&] { // POSIX sets that of a thread
        platform::set_affinity(first);
        const platform::ProcessorSet now = platform::allowed_affinity();
        then = count(now);
        for (std::size_t i = 0; i < platform::ProcessorSet::most; ++i) is_the_one |= now.has(i) && first.has(i);
    })
        .join();
    platform::set_affinity(before); // Windows that of the process
    CHECK(then == 1);
    CHECK(is_the_one);
    CHECK(count(platform::allowed_affinity()) == count(before));
}

TEST_CASE("a set without a processor that is there is an error", "[affinity]") {
    CHECK_THROWS_AS(platform::set_affinity({}), std::system_error);
}
