// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/doorbell.hpp>

#include <thread>

using namespace contracts;

TEST_CASE("a doorbell is heard once it was rung, until it is silenced", "[wait]") {
    platform::Doorbell bell;
    const auto now = [] { return Deadline::after(0s); };
    CHECK_FALSE(platform::wait_one(bell.handle().native(), now()));
    bell.ring();
    bell.ring();
    CHECK(platform::wait_one(bell.handle().native(), now()));
    CHECK(platform::wait_one(bell.handle().native(), now())); // hearing does not silence it
    bell.silence();
    CHECK_FALSE(platform::wait_one(bell.handle().native(), now()));
    bell.silence(); // quiet already: does not block
}

TEST_CASE("a bell that a thread rings ends a wait", "[doorbell]") {
    platform::Doorbell bell;
    std::thread ringer([&] { bell.ring(); });
    CHECK(platform::wait_one(bell.handle().native(), patience()));
    ringer.join();
}

TEST_CASE("a duplicate of a bell rings and silences the same bell", "[doorbell]") {
    const auto now = [] { return Deadline::after(0s); };
    platform::Doorbell bell;
    platform::Doorbell copy{bell.handle().duplicate()};
    copy.ring();
    CHECK(platform::wait_one(bell.handle().native(), now()));
    copy.silence();
    CHECK_FALSE(platform::wait_one(bell.handle().native(), now()));
}

TEST_CASE("a bell that rings already is rung without waiting", "[doorbell]") {
    platform::Doorbell bell;
    for (int i = 0; i < 200'000; ++i) bell.ring(); // more than a pipe would hold
    bell.silence();
    CHECK_FALSE(platform::wait_one(bell.handle().native(), Deadline::after(0s)));
}
