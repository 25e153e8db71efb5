// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/process_attributes.hpp>

#include <cstdlib>
#include <cstring>
#include <string>

using namespace contracts;

TEST_CASE("a variable of the environment is set, and removed by null", "[surroundings]") {
    platform::set_variable("MP_TEST_VARIABLE", "a value");
    const char* const set = std::getenv("MP_TEST_VARIABLE");
    CHECK(std::string(set ? set : "") == "a value");
    platform::set_variable("MP_TEST_VARIABLE", nullptr);
    CHECK(std::getenv("MP_TEST_VARIABLE") == nullptr);
}

TEST_CASE("a thread has the rights and capabilities that it has", "[surroundings]") {
    platform::RightsFiles files;
    CHECK(platform::Rights::here(files).equal(platform::Rights::here(files)));
    platform::Capabilities::of_caller().impose(); // gives up nothing
    CHECK(platform::Rights::here(files).equal(platform::Rights::here(files)));
}

#if !defined(_WIN32)

#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TEST_CASE("surroundings travel: environment, folder, umask, limits, affinity", "[surroundings]") {
    const auto before = platform::Surroundings::here();
    CHECK(before.changes(before).empty());
    CHECK_FALSE(before.directory(before).valid());

    // Changed in a child, so that this program keeps its own; a grandchild of the old kind takes them on.
    CHECK(exit_code_of_fork([&] {
              ::setenv("MP_TEST_SURROUNDINGS", "changed", 1);
              if (::chdir("/usr") != 0) return 10;
              ::umask(0123);
              rlimit limit{};
              ::getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 100;
              ::setrlimit(RLIMIT_NOFILE, &limit);
              cpu_set_t last;
              CPU_ZERO(&last);
              CPU_SET(static_cast<unsigned>(::sched_getcpu()), &last);
              ::sched_setaffinity(0, sizeof last, &last);
              const auto now = platform::Surroundings::here();
              const auto bytes = now.changes(before);
              const auto folder = now.directory(before);
              if (bytes.empty() || !folder.valid()) return 11;

              // Back to what it was, as a server made earlier would be.
              platform::apply_surroundings(before.changes(now),
                                           platform::Handle{::open("/", O_PATH | O_DIRECTORY)});
              if (std::getenv("MP_TEST_SURROUNDINGS")) return 12;
              platform::apply_surroundings(bytes, folder);
              char path[100];
              cpu_set_t affinity;
              ::sched_getaffinity(0, sizeof affinity, &affinity);
              ::getrlimit(RLIMIT_NOFILE, &limit);
              if (std::strcmp(std::getenv("MP_TEST_SURROUNDINGS"), "changed") != 0) return 13;
              if (std::strcmp(::getcwd(path, sizeof path), "/usr") != 0) return 14;
              if (::umask(0) != 0123) return 15;
              if (limit.rlim_cur != 100) return 16;
              if (!CPU_EQUAL(&affinity, &last)) return 17;
              return 0;
          }) == 0);
}

TEST_CASE("a raised limit of handles is the hard one until it is restored", "[surroundings]") {
    CHECK(exit_code_of_fork([] {
              rlimit limit{};
              ::getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 50;
              ::setrlimit(RLIMIT_NOFILE, &limit);
              const auto raised = platform::HandleLimit::raise();
              ::getrlimit(RLIMIT_NOFILE, &limit);
              if (limit.rlim_cur <= 50) return 1;
              raised.restore();
              ::getrlimit(RLIMIT_NOFILE, &limit);
              return limit.rlim_cur == 50 ? 0 : 2;
          }) == 0);
}

TEST_CASE("rights with another umask are equal, with an ignored signal not", "[surroundings]") {
    CHECK(exit_code_of_fork([] {
              platform::RightsFiles files;
              const auto before = platform::Rights::here(files);
              ::umask(0123); // travels as one of the surroundings
              if (!platform::Rights::here(files).equal(before)) return 1;
              ::signal(SIGHUP, SIG_IGN);
              return platform::Rights::here(files).equal(before) ? 2 : 0;
          }) == 0);
}

TEST_CASE("surroundings with a higher hard limit cannot be taken on", "[surroundings]") {
    CHECK(exit_code_of_fork([] {
              const auto before = platform::Surroundings::here();
              if (!before.can_be_taken_on(before)) return 1;
              const rlimit low{10, 10};
              ::setrlimit(RLIMIT_NOFILE, &low);
              return before.can_be_taken_on(platform::Surroundings::here()) ? 2 : 0;
          }) == 0);
}

#endif
