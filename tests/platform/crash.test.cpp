// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/platform/memory.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <cstdint>
#include <string>

using namespace contracts;
namespace bip = boost::interprocess;

namespace {

/// Starts a child that records its crashes, and ends as `how` says.
struct Recorded {
    static constexpr std::uint64_t size = 64 * 1024;

    explicit Recorded(const std::string& how) {
        platform::exclude_from_dumps(region.get_address(), size);
        platform::commit(region.get_address(), size);
        auto request = child_program({"record_crash"});
        request.argument(request.pass(object.handle()));
        request.argument(std::to_string(size));
        request.argument(how);
        auto child = platform::spawn(request);
        exitcode = end_of(child).exitcode.value();
    }
    std::string text() const { return static_cast<const char*>(region.get_address()); }

    platform::MemoryObject object{size};
    bip::mapped_region region{object, bip::read_write, 0, size};
    int exitcode = 0;
};

} // namespace

TEST_CASE("a process that crashes leaves its stack behind", "[crash]") {
    const std::string how = GENERATE("abort", "null");
    if (support::has_asan && how == "null") return; // it handles that itself
    const Recorded recorded{how};
    CHECK(recorded.exitcode != 0);
    CHECK_THAT(recorded.text(), ContainsSubstring("test_child"));
    CHECK_THAT(platform::with_names(recorded.text()), ContainsSubstring("test_child"));
}

TEST_CASE("a process that ends without a crash leaves no stack", "[crash]") {
    const Recorded recorded{"return"};
    CHECK(recorded.exitcode == 0);
    CHECK(recorded.text().empty());
}

TEST_CASE("a second record changes where the stack goes", "[crash]") {
    const Recorded recorded{"elsewhere"};
    CHECK(recorded.exitcode != 0);
    CHECK(recorded.text().empty());
    CHECK_THAT(static_cast<const char*>(recorded.region.get_address()) + Recorded::size / 2,
               ContainsSubstring("test_child"));
}
