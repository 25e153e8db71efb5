// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/kinship.hpp>
#include <multiprocessing/detail/platform/memory.hpp>

#include <string>

using namespace contracts;

TEST_CASE("memory of this user is trusted without a parent", "[kinship]") {
    const platform::MemoryObject object{4096};
    CHECK(platform::stranger(object.handle(), false) == "");
}

#if !defined(_WIN32)

#include <sys/mman.h>

TEST_CASE("what anybody may have made is not trusted without a parent", "[kinship]") {
    const auto pipe = platform::make_pipe();
    CHECK_THAT(platform::stranger(pipe.reader, false), ContainsSubstring("another user"));
    const platform::Handle unsealed{::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    REQUIRE(unsealed.valid());
    CHECK_THAT(platform::stranger(unsealed, false), ContainsSubstring("another user"));
}

TEST_CASE("a parent that runs this program is trusted, another program not", "[kinship]") {
    const platform::MemoryObject object{4096};
    platform::HandleTraits::keep_in_forked_child(object.handle().native());
    CHECK(exit_code_of_fork([&] { return platform::stranger(object.handle(), true).empty() ? 0 : 1; }) == 0);
    auto out = platform::make_pipe();
    auto request = child_program({"ask_kinship"});
    request.argument(request.pass(object.handle()));
    request.argument(request.pass(out.writer));
    auto child = platform::spawn(request);
    out.writer.close();
    CHECK_THAT(read_to_end(out.reader), ContainsSubstring("test_platform, which is another program"));
    CHECK(end_of(child).exitcode == 0);
}

#endif
