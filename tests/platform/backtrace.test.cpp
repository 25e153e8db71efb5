// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

#include <algorithm>
#include <string>
#include <typeinfo>

namespace platform = multiprocessing::detail::platform;

namespace {

struct Named {};

auto lines_of(const std::string& trace) { return std::count(trace.begin(), trace.end(), '\n'); }

} // namespace

TEST_CASE("a backtrace names the program", "[backtrace]") {
    CHECK_THAT(platform::backtrace(0), ContainsSubstring("test_platform"));
}

TEST_CASE("names of types and signals are readable", "[backtrace]") {
    CHECK_THAT(platform::readable(typeid(Named).name()), ContainsSubstring("Named"));
    CHECK(platform::signal_name(9) == "SIGKILL");
    CHECK(platform::signal_name(11) == "SIGSEGV");
    CHECK_THAT(platform::signal_name(12345), ContainsSubstring("12345"));
}

TEST_CASE("frames that are skipped are not in a backtrace", "[backtrace]") {
    const std::string whole = platform::backtrace(0);
    CHECK(lines_of(platform::backtrace(1)) < lines_of(whole));
}

TEST_CASE("the exception that is being handled has a readable name", "[backtrace]") {
    try {
        throw Named{};
    } catch (const Named&) { CHECK_THAT(platform::current_exception_name(), ContainsSubstring("Named")); }
}

TEST_CASE("a probe tells once where an exception was thrown, where it can", "[backtrace]") {
    std::string first;
    std::string second;
    try {
        throw Named{};
    } catch (const platform::ThrowProbe&) { FAIL("nothing is of that class"); } catch (...) {
        first = platform::thrown_trace();
        second = platform::thrown_trace();
    }
    if (platform::UserCode::ends_traces) CHECK_THAT(first, ContainsSubstring("test_platform"));
    CHECK(second.empty());
    try {
        throw Named{};
    } catch (const Named&) { CHECK(platform::thrown_trace().empty()); } // no probe was passed
}
