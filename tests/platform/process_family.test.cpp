// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>
#include <support/eventually.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/process_family.hpp>

#include <algorithm>
#include <vector>

#if !defined(_WIN32)
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace contracts;

TEST_CASE("nobody has children who has started none, or is gone", "[process_family]") {
    auto child = platform::spawn(child_program({"exit", "0"}));
    const int pid = child.pid();
    end_of(child);
    CHECK(platform::children_of(pid).empty());
    platform::Descendants{pid}.kill();
}

/// A child that runs until it is ended.
platform::Child child_that_stays() {
    auto pipe = platform::make_pipe();
    auto request = child_program({"run_for_ever"});
    request.argument(request.pass(pipe.writer));
    auto child = platform::spawn(request);
    REQUIRE(read_text(pipe.reader, 2) == "up");
    return child;
}

TEST_CASE("descendants are found, and ended", "[process_family]") {
    auto child = child_that_stays();
    SECTION("by whoever looks for them") { platform::Descendants{platform::current_pid()}.kill(); }
    SECTION("by their ancestor, which is about to end") { platform::end_descendants(); }
    CHECK_FALSE(end_of(child).exitcode == 0);
}

#if !defined(_WIN32)
TEST_CASE("children are listed", "[process_family]") {
    auto child = child_that_stays();
    const std::vector<int> children = platform::children_of(platform::current_pid());
    CHECK(std::find(children.begin(), children.end(), child.pid()) != children.end());
    child.kill();
    end_of(child);
}

TEST_CASE("what leads a session of its own has left the family", "[process_family]") {
    const pid_t daemon = ::fork();
    if (daemon == 0) {
        ::setsid();
        for (;;) ::pause();
    }
    REQUIRE(support::eventually([&] { return ::getsid(daemon) == daemon; }));
    platform::Descendants{platform::current_pid()}.kill();
    platform::end_descendants();
    int status = 0;
    CHECK(::waitpid(daemon, &status, WNOHANG) == 0);
    ::kill(daemon, SIGKILL);
    CHECK(::waitpid(daemon, &status, 0) == daemon);
}
#endif
