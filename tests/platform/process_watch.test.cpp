// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/process_watch.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <optional>

using namespace contracts;

TEST_CASE("a process is watched until it ends", "[process_watch]") {
    auto self = platform::watch_process(platform::current_pid());
    REQUIRE(self.has_value());
    if (self->valid()) CHECK_FALSE(platform::wait_one(self->native(), Deadline::after(0s)));
}

TEST_CASE("the end of a watched process is heard, and then there is none", "[process_watch]") {
    auto child = platform::spawn(child_program({"exit", "7"}));
    const int pid = child.pid();
    const auto end = platform::watch_process(pid); // not reaped yet, so there is one
    REQUIRE(end.has_value());
    if (end->valid()) CHECK(platform::wait_one(end->native(), patience()));
    CHECK(end_of(child).exitcode == 7);
}
