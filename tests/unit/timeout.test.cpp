// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <limits>
#include <optional>
#include <ratio>
#include <thread>
#include <type_traits>

using multiprocessing::no_timeout;
using multiprocessing::Timeout;
using multiprocessing::detail::Deadline;
using namespace std::chrono_literals;

namespace {
constexpr auto span_of(Timeout timeout) { return timeout.span(); }
} // namespace

static_assert(span_of(2s) == 2'000'000'000ns && span_of(1ms) == 1'000'000ns);
static_assert(span_of(2.5s) == 2'500ms);
static_assert(span_of(std::nullopt) == std::nullopt && no_timeout.span() == std::nullopt);
static_assert(span_of(std::optional<std::chrono::seconds>{}) == std::nullopt);
static_assert(span_of(std::optional{3s}) == 3s);
static_assert(span_of(0s) == 0ns);
static_assert(!std::is_convertible_v<int, Timeout> && !std::is_convertible_v<double, Timeout> &&
              !std::is_convertible_v<bool, Timeout>);

TEST_CASE("a negative timeout is none at all", "[timeout]") {
    CHECK(span_of(-1ns) == 0ns);
    CHECK(span_of(std::chrono::duration<double>(-0.5)) == 0ns);
    CHECK(span_of((std::chrono::nanoseconds::min)()) == 0ns);
    CHECK(Deadline::after(-5s).passed());
}

TEST_CASE("a timeout beyond all clocks is cut to a century", "[timeout]") {
    const auto century = std::chrono::hours{24 * 36'500};
    CHECK(span_of((std::chrono::hours::max)()) == century);
    CHECK(span_of((std::chrono::nanoseconds::max)()) == century);
    CHECK(span_of(std::chrono::duration<double>(std::numeric_limits<double>::infinity())) == century);
    CHECK(span_of(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())) == 0ns);
    CHECK(span_of(std::chrono::duration<int, std::ratio<3'155'695'200>>(10)) == century);
    const Deadline deadline = Deadline::after((std::chrono::hours::max)());
    CHECK_FALSE(deadline.passed());
    CHECK_FALSE(deadline.never());
    CHECK(deadline.left(100ms) == 100ms);
}

TEST_CASE("a deadline passes when its time has gone, and stays so", "[timeout]") {
    const auto begin = std::chrono::steady_clock::now();
    const Deadline deadline = Deadline::after(20ms);
    while (!deadline.passed()) std::this_thread::sleep_for(1ms);
    CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
    CHECK(deadline.left(1s) == 0ns);
    CHECK(deadline.passed());
}

TEST_CASE("without a timeout there is no deadline, and each look lasts its slice", "[timeout]") {
    for (const Deadline deadline : {Deadline{}, Deadline::after(no_timeout)}) {
        CHECK(deadline.never());
        CHECK_FALSE(deadline.passed());
        CHECK(deadline.left(100ms) == 100ms);
    }
}

TEST_CASE("a wait lasts a slice or what is left, whichever is shorter", "[timeout]") {
    const Deadline hour = Deadline::after(1h);
    CHECK(hour.left(100ms) == 100ms);
    const auto left = hour.left(2h);
    CHECK(left <= 1h);
    CHECK(left > 0ns);
}

TEST_CASE("of two deadlines the sooner counts, also where one is never", "[timeout]") {
    const Deadline over = Deadline::after(0s);
    const Deadline hour = Deadline::after(1h);
    const Deadline never;
    CHECK(hour.sooner(over).passed());
    CHECK(over.sooner(hour).passed());
    CHECK(never.sooner(over).passed());
    CHECK(over.sooner(never).passed());
    CHECK_FALSE(hour.sooner(never).never());
    CHECK_FALSE(never.sooner(hour).never());
    CHECK(never.sooner(never).never());
}
