// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/shared_names.hpp>

#include <multiprocessing/detail/platform/named_memory.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace mp = multiprocessing;
using mp::shared_memory::SharedMemory;
using mp::shared_memory::SharedMemoryOptions;
using support::fresh_name;
using support::Unlinked;

namespace {

/// The error that making or finding one gives.
std::error_code code_of(const SharedMemoryOptions& options) {
    try {
        const SharedMemory made(options);
        made.unlink();
        return {};
    } catch (const std::system_error& error) { return error.code(); }
}

#if !defined(_WIN32)
/// Whether this process has it mapped.
bool is_mapped(const std::string& name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("/dev/shm/" + name) != std::string::npos) return true;
    }
    return false;
}

std::uint64_t free_in_dev_shm() {
    struct statvfs folder;
    return ::statvfs("/dev/shm", &folder) == 0 ? std::uint64_t{folder.f_bavail} * folder.f_frsize : 0;
}

/// How much an error says was free in /dev/shm.
std::uint64_t figure_of_dev_shm(const std::string& text) {
    const std::size_t end = text.find(" in /dev/shm");
    REQUIRE(end != std::string::npos);
    return std::stoull(text.substr(text.rfind(' ', end - 1) + 1));
}

/// Gives this process a /dev/shm of its own, of so many bytes; false where the system does not let it.
bool has_own_dev_shm(std::uint64_t bytes) {
    const auto uid = ::geteuid();
    const auto gid = ::getegid();
    if (::unshare(CLONE_NEWNS) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
        std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
        std::ofstream("/proc/self/setgroups") << "deny";
        std::ofstream("/proc/self/gid_map") << "0 " << gid << " 1";
    }
    const std::string options = "mode=1777,size=" + std::to_string(bytes);
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("none", "/dev/shm", "tmpfs", 0, options.c_str()) == 0;
}

/// What happened in a /dev/shm of 16 MiB, of which 5 were taken, when 14 were wanted.
struct Refusal {
    bool tried;
    bool refused;
    std::uint64_t free_before;
    std::uint64_t free_after;
    char text[512];
};

Refusal refusal_of_small_dev_shm() {
    using mp::detail::platform::make_named_memory;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        Refusal refusal{};
        const auto made = [](const mp::detail::platform::MemoryObject&) {};
        try {
            refusal.tried = has_own_dev_shm(16 << 20);
            if (refusal.tried) make_named_memory("taken", 5 << 20, made);
            refusal.free_before = free_in_dev_shm();
            if (refusal.tried) make_named_memory("wanted", 14 << 20, made);
        } catch (const std::system_error& error) {
            refusal.refused = error.code() == std::errc::not_enough_memory;
            std::strncpy(refusal.text, error.what(), sizeof refusal.text - 1);
        }
        refusal.free_after = free_in_dev_shm();
        ::_exit(::write(ends[1], &refusal, sizeof refusal) == sizeof refusal ? 0 : 1);
    }
    ::close(ends[1]);
    Refusal refusal{};
    const ssize_t got = ::read(ends[0], &refusal, sizeof refusal);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(got == sizeof refusal);
    return refusal;
}
#endif

} // namespace

TEST_CASE("shared memory is zero, of the size asked for, and has a name", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 5000});
    const Unlinked guard{shm};
    CHECK(shm.size() == 5000);
    REQUIRE(shm.buf().size() == 5000);
    CHECK(std::all_of(shm.buf().begin(), shm.buf().end(), [](std::byte b) { return b == std::byte{0}; }));
#if !defined(_WIN32)
    REQUIRE(shm.name().size() == 12);
    CHECK_THAT(shm.name(), StartsWith("psm_"));
    CHECK(shm.name().find_first_not_of("0123456789abcdef", 4) == std::string::npos);
    struct stat status;
    REQUIRE(::stat(("/dev/shm/" + shm.name()).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(status.st_size == 5000);
    CHECK(status.st_blocks * 512 >= 5000); // had, before anybody touched it
#else
    CHECK_THAT(shm.name(), StartsWith("wnsm_"));
#endif
}

TEST_CASE("who finds shared memory by its name has the same bytes", "[shared_memory]") {
    const std::string name = fresh_name();
    const SharedMemory made({.name = name, .create = true, .size = 100});
    const Unlinked guard{made};
    CHECK(made.name() == name);
    const SharedMemory found({.name = name});
    CHECK(found.name() == name);
#if !defined(_WIN32)
    CHECK(found.size() == 100);
#else
    CHECK(found.size() >= 100);
#endif
    made.as<std::int32_t>()[3] = 7;
    CHECK(found.buf()[12] == std::byte{7});
    found.buf()[99] = std::byte{9};
    CHECK(made.buf()[99] == std::byte{9});
}

TEST_CASE("a name that exists or is missing is an error that names it and the remedy", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 1});
    {
        const Unlinked guard{shm};
        CHECK(code_of({.name = shm.name(), .create = true, .size = 1}) == std::errc::file_exists);
        CHECK_THROWS_WITH(SharedMemory({.name = shm.name(), .create = true, .size = 1}),
                          ContainsSubstring("'" + shm.name() + "' exists already") &&
                              ContainsSubstring("unlink() it first"));
    }
    const std::string missing = fresh_name();
    CHECK(code_of({.name = missing}) == std::errc::no_such_file_or_directory);
    CHECK_THROWS_WITH(SharedMemory({.name = missing}), ContainsSubstring("'" + missing + "' does not exist") &&
                                                           ContainsSubstring(".create = true"));
}

TEST_CASE("options that make no sense are refused", "[shared_memory]") {
    const std::string name = fresh_name();
    CHECK_THROWS_AS(SharedMemory({.name = name, .create = true}), std::invalid_argument);
    CHECK_THROWS_AS(SharedMemory({.create = true}), std::invalid_argument);
    CHECK_THROWS_AS(SharedMemory({.size = 10}), std::invalid_argument);
    CHECK_THROWS_WITH(SharedMemory({.create = true, .size = static_cast<std::size_t>(-5)}),
                      ContainsSubstring("negative"));
    const std::string with_null("a\0b", 3);
    CHECK_THROWS_AS(SharedMemory({.name = with_null}), std::invalid_argument);
    CHECK_THROWS_AS(SharedMemory({.name = with_null, .create = true, .size = 1}), std::invalid_argument);
}

#if !defined(_WIN32)
TEST_CASE("a name that the system cannot have is an error that says what a name is", "[shared_memory]") {
    for (const std::string& name : {std::string("a/b"), std::string(300, 'x')}) {
        INFO(name);
        const std::error_code code = code_of({.name = name, .create = true, .size = 1});
        // of a long name either, as the C library has it
        CHECK((code == std::errc::invalid_argument || code == std::errc::filename_too_long));
        CHECK_THROWS_WITH(SharedMemory({.name = name}), ContainsSubstring("no slash inside"));
    }
    // CPython puts a slash before any name, also before one that has it.
    const SharedMemory shm({.name = "/" + fresh_name(), .create = true, .size = 1});
    const Unlinked guard{shm};
    CHECK(shm.name()[0] == '/');
    CHECK(SharedMemory({.name = shm.name().substr(1)}).size() == 1);
}

TEST_CASE("memory that is not sized yet is an error", "[shared_memory]") {
    const std::string name = fresh_name();
    std::ofstream("/dev/shm/" + name).close();
    CHECK_THROWS_WITH(SharedMemory({.name = name}), ContainsSubstring("has not given it a size yet"));
    std::remove(("/dev/shm/" + name).c_str());
}

TEST_CASE("a signal that comes again and again does not keep memory from being reserved", "[shared_memory]") {
    struct sigaction act {};
    act.sa_handler = [](int) {};
    struct sigaction before {};
    ::sigaction(SIGALRM, &act, &before);
    itimerval each{{0, 300}, {0, 300}};
    ::setitimer(ITIMER_REAL, &each, nullptr);
    const SharedMemory shm({.create = true, .size = 64 << 20});
    each = {};
    ::setitimer(ITIMER_REAL, &each, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    const Unlinked guard{shm};
    struct stat status;
    REQUIRE(::stat(("/dev/shm/" + shm.name()).c_str(), &status) == 0);
    CHECK(status.st_blocks * 512 >= 64 << 20);
}

TEST_CASE("memory that nobody looked at is unmapped when closed, else with the last copy", "[shared_memory]") {
    const std::string name = fresh_name();
    const SharedMemory made({.name = name, .create = true, .size = 10});
    const Unlinked guard{made};
    CHECK(is_mapped(name));
    made.close();
    CHECK_FALSE(is_mapped(name));
    {
        const SharedMemory found({.name = name});
        const SharedMemory copy = found;
        found.buf();
        found.close();
        CHECK(is_mapped(name));
    }
    CHECK_FALSE(is_mapped(name));
}

TEST_CASE("copies of shared memory may be closed, looked at and unlinked by several threads at once",
          "[shared_memory]") {
    for (int round = 0; round < 200; ++round) {
        const SharedMemory shm({.create = true, .size = 4096});
        std::atomic<int> ready{0};
        std::atomic<int> unlinked{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([copy = shm, i, &ready, &unlinked] {
                ++ready;
                while (ready < 3) {}
                if (i == 0) static_cast<void>(copy.buf().size());
                copy.close();
                try {
                    copy.unlink();
                    ++unlinked;
                } catch (const std::system_error&) {}
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(unlinked == 1);
        CHECK(shm.buf().empty());
    }
}

TEST_CASE("shared memory is unlinked once, and by nothing but unlink()", "[shared_memory]") {
    const std::string name = fresh_name();
    { const SharedMemory made({.name = name, .create = true, .size = 10}); }
    { const SharedMemory found({.name = name}); }
    const SharedMemory one({.name = name});
    const SharedMemory other({.name = name});
    one.buf()[0] = std::byte{1};
    one.unlink();
    CHECK(code_of({.name = name}) == std::errc::no_such_file_or_directory);
    CHECK(one.buf()[0] == std::byte{1}); // who has it keeps it
    for (const SharedMemory* const shm : {&one, &other}) {
        try {
            shm->unlink();
            FAIL("unlinked twice");
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::no_such_file_or_directory);
        }
    }
    // Somebody else makes one of that name: it is not taken from them.
    const SharedMemory theirs({.name = name, .create = true, .size = 10});
    const Unlinked guard{theirs};
    CHECK_THROWS_AS(one.unlink(), std::system_error);
    CHECK_NOTHROW(SharedMemory({.name = name}));
}
#endif

TEST_CASE("memory beyond what there is is refused with both figures, and leaves nothing", "[shared_memory]") {
    const std::string name = fresh_name();
    const SharedMemoryOptions options{.name = name, .create = true, .size = std::size_t{1} << 46};
    CHECK(code_of(options) == std::errc::not_enough_memory);
    CHECK_THROWS_WITH(SharedMemory(options), ContainsSubstring("'" + name + "' of 70368744177664 bytes") &&
                                                 ContainsSubstring("are available on this machine"));
    CHECK(code_of({.name = name}) == std::errc::no_such_file_or_directory);
}

#if !defined(_WIN32)
TEST_CASE("an error about a full /dev/shm says how much was free before the attempt", "[shared_memory]") {
    const Refusal refusal = refusal_of_small_dev_shm();
    if (!refusal.tried) {
        WARN("this system gives no /dev/shm of one's own: not tried");
        return;
    }
    INFO(refusal.text);
    REQUIRE(refusal.refused);
    CHECK(refusal.free_before == 11 << 20); // nobody else is there
    CHECK(figure_of_dev_shm(refusal.text) == refusal.free_before);
    CHECK(refusal.free_after == refusal.free_before);
    CHECK_THAT(std::string(refusal.text),
               ContainsSubstring("'wanted' of 14680064 bytes is wanted") && ContainsSubstring("--shm-size"));
}

TEST_CASE("an error about too much shared memory says what is free in /dev/shm", "[shared_memory]") {
    const std::uint64_t before = free_in_dev_shm();
    if (before == 0) return; // not a folder that has a size
    std::uint64_t figure = 0;
    try {
        const SharedMemory shm({.create = true, .size = std::size_t{1} << 46});
        shm.unlink();
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) { figure = figure_of_dev_shm(error.what()); }
    const std::uint64_t after = free_in_dev_shm();
    const std::uint64_t of_others = before / 4; // other programs take and give back meanwhile
    CHECK(figure + of_others >= (std::min)(before, after));
    CHECK(figure <= (std::max)(before, after) + of_others);
}
#endif

TEST_CASE("after close() nothing is seen any more, but what was seen before stays", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 16});
    const Unlinked guard{shm};
    const SharedMemory copy = shm;
    const SharedMemory other({.name = shm.name()});
    const std::span<std::byte> view = shm.buf();
    copy.close();
    copy.close();
    CHECK(shm.buf().empty());
    CHECK(shm.as<int>().empty());
    CHECK(shm.size() == 16);
    CHECK(shm.name() == copy.name());
    view[5] = std::byte{5};
    CHECK(other.buf()[5] == std::byte{5});
}

TEST_CASE("shared memory is an array of any type that fits", "[shared_memory]") {
    struct Point {
        double x, y;
    };
    struct alignas(1 << 16) Wide {
        char bytes[1 << 16];
    };
    const SharedMemory shm({.create = true, .size = 48});
    const Unlinked guard{shm};
    REQUIRE(shm.as<Point>().size() == 3);
    shm.as<Point>()[2].y = 2.5;
    CHECK(shm.as<const double>()[5] == 2.5);
    CHECK_THROWS_AS(shm.as<char[5]>(), std::invalid_argument);
    CHECK_THROWS_WITH(shm.as<char[5]>(), ContainsSubstring("48 bytes, no multiple of the 5"));
    CHECK_THROWS_AS(shm.as<Wide>(), std::invalid_argument);
}

TEST_CASE("a SharedMemory made of nothing is empty until assigned", "[shared_memory]") {
    SharedMemory shm;
    CHECK(shm.name().empty());
    CHECK(shm.size() == 0);
    CHECK(shm.buf().empty());
    CHECK_NOTHROW(shm.close());
    CHECK_THROWS_AS(shm.unlink(), std::invalid_argument);
    CHECK(mp::loads<SharedMemory>(mp::dumps(shm)).name().empty());
    shm = SharedMemory({.create = true, .size = 1});
    const Unlinked guard{shm};
    CHECK(shm.size() == 1);
}

TEST_CASE("SharedMemory crosses by name, alone and inside other values", "[shared_memory]") {
    struct Job {
        SharedMemory shm;
        int n;
    };
    STATIC_REQUIRE(mp::Serializable<SharedMemory>);
    STATIC_REQUIRE(mp::Serializable<Job>);
    const SharedMemory shm({.create = true, .size = 10});
    const Unlinked guard{shm};
    const auto job = mp::loads<Job>(mp::dumps(Job{shm, 3}));
    CHECK(job.shm.name() == shm.name());
    CHECK(job.shm.size() == 10); // on Windows, too, where the memory is of a page
    job.shm.buf()[3] = std::byte{4};
    CHECK(shm.buf()[3] == std::byte{4});
    const auto all = mp::loads<std::vector<SharedMemory>>(mp::dumps(std::vector{shm, shm}));
    CHECK(all.at(1).buf()[3] == std::byte{4});
    shm.close();
    CHECK(mp::loads<SharedMemory>(mp::dumps(shm)).buf()[3] == std::byte{4}); // found again
}

#if !defined(_WIN32)
TEST_CASE("SharedMemory that is gone or replaced when it arrives is an error", "[shared_memory]") {
    const std::string name = fresh_name();
    const SharedMemory shm({.name = name, .create = true, .size = 10});
    const auto bytes = mp::dumps(shm);
    shm.unlink();
    CHECK_THROWS_WITH(mp::loads<SharedMemory>(bytes), ContainsSubstring("'" + name + "' does not exist"));
    const SharedMemory other({.name = name, .create = true, .size = 9});
    const Unlinked guard{other};
    CHECK_THROWS_WITH(mp::loads<SharedMemory>(bytes),
                      ContainsSubstring("another one bears that name by now, of 9"));
}
#endif
