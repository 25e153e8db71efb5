// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/process_family.hpp>

#include <algorithm>
#include <vector>

using namespace contracts;

TEST_CASE("nobody has children who has started none, or is gone", "[process_family]") {
    auto child = platform::spawn(child_program({"exit", "0"}));
    const int pid = child.pid();
    end_of(child);
    CHECK(platform::children_of(pid).empty());
    platform::Descendants{pid}.kill();
}

#if !defined(_WIN32)
TEST_CASE("descendants are found, and ended", "[process_family]") {
    auto pipe = platform::make_pipe();
    auto request = child_program({"run_for_ever"});
    request.argument(request.pass(pipe.writer));
    auto child = platform::spawn(request);
    CHECK(read_text(pipe.reader, 2) == "up");
    const std::vector<int> children = platform::children_of(platform::current_pid());
    CHECK(std::find(children.begin(), children.end(), child.pid()) != children.end());
    platform::Descendants{platform::current_pid()}.kill();
    CHECK(end_of(child).exitcode == -9);
}
#endif
