// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

using namespace contracts;

TEST_CASE("random bytes are new each time, in all of the room", "[identity]") {
    std::array<std::byte, 64> first{};
    std::array<std::byte, 64> second{};
    platform::fill_random(first);
    platform::fill_random(second);
    // Four zeros in a row at either end: once in four billion.
    const auto is_zero = [](std::byte byte) { return byte == std::byte{}; };
    for (const auto& bytes : {first, second}) {
        CHECK_FALSE(std::all_of(bytes.begin(), bytes.begin() + 4, is_zero));
        CHECK_FALSE(std::all_of(bytes.end() - 4, bytes.end(), is_zero));
    }
    CHECK(first != second);
}

TEST_CASE("a process has a pid and a token that stay", "[identity]") {
    CHECK(platform::current_pid() > 0);
    CHECK(platform::program_token() == platform::program_token());
}

TEST_CASE("what one image of the process leaves, another finds", "[identity]") {
    static char text[] = "MP_TEST_WORD=from here to there";
    CHECK(platform::word("MP_TEST_WORD") == "");
    platform::leave_word("MP_TEST_WORD", text);
    CHECK(platform::word("MP_TEST_WORD") == "from here to there");
}

#if !defined(_WIN32)

TEST_CASE("the witness of a fork reads 0 in the copy alone", "[identity]") {
    std::atomic<std::uint32_t>* const witness = platform::fork_witness();
    if (!witness) return; // the system has no such memory
    CHECK(*witness == 0);
    *witness = 5;
    CHECK(exit_code_of_fork([&] { return static_cast<int>(witness->load()); }) == 0);
    CHECK(*witness == 5);
}

TEST_CASE("a fork runs its handlers in both processes", "[identity]") {
    static int calls = 0;
    CHECK(exit_code_of_fork([] {
              // In a child, as handlers stay for good.
              platform::call_at_fork([] { calls += 1; }, [] { calls += 10; }, [] { calls += 100; });
              const int in_child = exit_code_of_fork([] { return calls; });
              return in_child == 101 && calls == 11 ? 0 : 1;
          }) == 0);
}

TEST_CASE("a forked copy has a pid of its own", "[identity]") {
    const int pid = platform::current_pid();
    CHECK(exit_code_of_fork([&] { return platform::current_pid() == pid ? 1 : 0; }) == 0);
}

#endif
