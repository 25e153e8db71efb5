// SPDX-License-Identifier: BSL-1.0
#if !defined(_WIN32)

#include <support/catch.hpp>

#include <multiprocessing/detail/platform/resources.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace platform = multiprocessing::detail::platform;

namespace {

constexpr int refused = 255;

/// What allowed_processors() says where /sys/fs/cgroup has these files; `refused` where the system does not let us
/// have one of our own.
int allowed_with(const std::map<std::string, std::string>& files) {
    char folder[] = "/tmp/mp_test_cgroup_XXXXXX";
    REQUIRE(::mkdtemp(folder));
    for (const auto& [name, text] : files) {
        const std::filesystem::path path = std::string(folder) + "/" + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const bool mounted = (::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
                             ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                             ::mount(folder, "/sys/fs/cgroup", nullptr, MS_BIND | MS_REC, nullptr) == 0;
        ::_exit(mounted ? platform::allowed_processors() : refused);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    std::filesystem::remove_all(folder);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

} // namespace

TEST_CASE("the processors of this process are those that it may run on", "[resources]") {
    const int all = platform::allowed_processors();
    CHECK(all >= 1);
    CHECK(all <= platform::machine_processors());
    cpu_set_t before;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    const int allowed = platform::allowed_processors();
    REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
    CHECK(allowed == 1);
    CHECK(platform::allowed_processors() == all);
}

TEST_CASE("a quota of the control group bounds the processors, rounded up", "[resources]") {
    const int all = allowed_with({{"cpu.max", "max 100000"}, {"cpu/cpu.cfs_quota_us", "-1"}});
    if (all == refused) {
        WARN("this system gives no /sys/fs/cgroup of one's own: not tried");
        return;
    }
    CHECK(all >= 1);
    // Whichever version this process has its group in, the other's files are not looked at.
    const auto with = [](const std::string& quota) {
        return allowed_with({{"cpu.max", quota + " 100000"},
                             {"cpu/cpu.cfs_quota_us", quota},
                             {"cpu/cpu.cfs_period_us", "100000"}});
    };
    CHECK(with("100000") == 1);
    CHECK(with("10000") == 1);
    CHECK(with("150000") == std::min(2, all));
    CHECK(with("100000000") == all);
    CHECK(allowed_with({}) == all);
}

#endif
