// SPDX-License-Identifier: BSL-1.0
#include <process/copy.hpp>
#include <support/processes.hpp>

#include <support/allocations.hpp>
#include <support/program.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/detail/launch/children.hpp>

#include <cstdlib>
#include <filesystem>

#if !defined(_WIN32)
#include <sys/resource.h>
#include <unistd.h>
#endif

using namespace process;

TEST_CASE("a program without freeze_support gets an exception in the parent that says what to add",
          "[failures]") {
    const auto printed = support::output_of("no_freeze_support", {"late"});
    if (mp::get_start_method() == mp::StartMethod::fork) {
        CHECK(printed.exitcode == 0);
    } else {
        CHECK(printed.exitcode == 1);
        CHECK_THAT(printed.err, ContainsSubstring("freeze_support()"));
        CHECK_THAT(printed.err, ContainsSubstring("multiprocessing::main"));
    }
}

TEST_CASE("a child that ends before freeze_support is an exit code and a line of the log", "[failures]") {
    if (mp::get_start_method() == mp::StartMethod::fork) return; // nothing is run anew
    const auto printed = support::output_of("ends_early");
    CHECK_THAT(printed.out, ContainsSubstring("exit code 9"));
    CHECK_THAT(printed.err, ContainsSubstring("ended with exit code 9 before it reached freeze_support()"));
    CHECK(printed.exitcode == 0);
}

TEST_CASE("an image of another build is refused, by name", "[failures]") {
    if (mp::get_start_method() == mp::StartMethod::fork) return;
    const auto self = mp::detail::platform::program_path();
    const auto other = (self.parent_path() / ("test_other_build" + self.extension().string())).string();
    const auto printed = support::output_of("other_build", {other});
    CHECK(printed.exitcode == 0);
    CHECK_THAT(printed.err, ContainsSubstring("test_other_build"));
    CHECK_THAT(printed.err, ContainsSubstring("another build"));
}

TEST_CASE("an image that does not exist is an exception", "[failures]") {
    CHECK_THROWS_AS(mp::set_executable("/no/such/program"), std::invalid_argument);
}

TEST_CASE("a program that is run by hand as if it were a child says so, and ends", "[failures]") {
    const auto printed = support::output_of("as_if_child");
    CHECK(printed.exitcode == 1);
}

#if !defined(_WIN32)

namespace {

void limit(int resource, rlim_t value) {
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &now);
    now.rlim_cur = std::min(now.rlim_max, value);
    ::setrlimit(static_cast<__rlimit_resource_t>(resource), &now);
}

int start_until_refused(int most) {
    std::vector<mp::Process> running;
    Tally tally;
    try {
        for (int i = 0; i < most; ++i) {
            running.emplace_back([](Tally t) { t.wait_for(0, 1); }, tally);
            running.back().start();
        }
    } catch (const std::system_error& error) {
        tally.add(0, 1);
        for (auto& p : running) {
            if (!p.pid()) continue;
            p.join();
            if (p.exitcode() != 0) return 2;
        }
        mp::Process after([] {}); // what is left works on
        limit(RLIMIT_NOFILE, 1000);
        after.start();
        after.join();
        return after.exitcode() == 0 ? 0 : 3;
    }
    tally.add(0, 1);
    return 4;
}

} // namespace

TEST_CASE("with no descriptors left a start throws, and what runs is not harmed", "[failures]") {
    if (support::has_asan) return; // its companion for undefined behaviour needs two descriptors at each throw
    CHECK(in_copy([] {
              limit(RLIMIT_NOFILE, 40);
              return start_until_refused(100);
          }) == 0);
}

TEST_CASE("a start that lacks memory at any of its allocations leaves nothing", "[failures]") {
    if (support::has_asan) return; // it has an operator new of its own
    const auto run = [](mp::Process p) {
        p.start();
        p.join();
        return p.exitcode();
    };
    Tally tally;
    const auto child = [](Tally) {};
    CHECK(run(mp::Process(child, tally)) == 0);
    const std::size_t leases = mp::detail::leases().count();
    bool failed = true;
    for (long count = 0; failed && count < 1000; ++count) {
        mp::Process p(child, tally);
        bool started = false;
        {
            const support::OneFailure at{static_cast<std::size_t>(count)};
            try {
                p.start();
                started = true;
            } catch (const std::exception&) {}
            failed = at.seen();
        }
        if (started) {
            p.join();
        } else {
            CHECK_FALSE(p.pid());
        }
        CHECK(mp::active_children().empty());
    }
    CHECK_FALSE(failed);
    CHECK(run(mp::Process(child, tally)) == 0);
    mp::detail::children().bury();
    CHECK(mp::detail::leases().count() == leases); // and the listener looks for children and descriptors
}

TEST_CASE("processes run within a limit of address space", "[failures]") {
    if (support::has_asan) return; // needs terabytes of address space itself
    for (const char* const limit : {"ulimit -v 8000000;", "ulimit -v 300000;"})
        CHECK(support::output_of("count_in_child", {}, limit).exitcode == 0);
}

TEST_CASE("with a limit on file sizes the shared memory is smaller", "[failures]") {
    CHECK(support::output_of("count_in_child", {}, "ulimit -f 1000000;").exitcode == 0);
}

TEST_CASE("with no processes left a start throws, names the limit, and leaves nothing", "[failures]") {
    if (::geteuid() != 0) return; // needs a user of its own
    const int code = in_copy([] {
        limit(RLIMIT_NPROC, 4);
        if (::setgid(54321) != 0 || ::setuid(54321) != 0) return 50;
        std::vector<mp::Process> running;
        Tally tally;
        try {
            for (int i = 0; i < 10; ++i) {
                running.emplace_back([](Tally t) { t.wait_for(0, 1); }, tally);
                running.back().start();
            }
        } catch (const std::system_error& error) {
            tally.add(0, 1);
            return error.code() == std::errc::resource_unavailable_try_again ? 0 : 1;
        }
        tally.add(0, 1);
        return 2;
    });
    CHECK(code == 0);
}

#endif
