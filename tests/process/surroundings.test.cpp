// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/sanitizers.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#if !defined(_WIN32)
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

int run(mp::Process p) {
    p.start();
    p.join();
    return p.exitcode().value();
}

void set_environment(const char* name, const char* value) {
#if defined(_WIN32)
    _putenv_s(name, value);
#else
    ::setenv(name, value, 1);
#endif
}

} // namespace

TEST_CASE("a child's standard input is the null device, and its buffers are empty", "[surroundings]") {
    CHECK(run(mp::Process([] {
              if (std::getchar() != EOF) std::exit(1);
              std::string word;
              if (std::cin >> word) std::exit(2);
          })) == 0);
}

TEST_CASE("a child sees the environment as it was at start", "[surroundings]") {
    const auto child = [](std::string expected) {
        const char* value = std::getenv("MP_TEST_VALUE");
        std::exit(value && value == expected ? 0 : 1);
    };
    CHECK(run(mp::Process([] {})) == 0); // the fork server, if it is that, is older than what follows
    mp::Process p(child, "two");
    set_environment("MP_TEST_VALUE", "one");
    CHECK(run(mp::Process(child, "one")) == 0);
    set_environment("MP_TEST_VALUE", "two");
    CHECK(run(std::move(p)) == 0);
#if defined(_WIN32)
    const std::string large(30'000, 'x'); // a variable has at most 32,767 letters
#else
    const std::string large(100'000, 'x');
#endif
    set_environment("MP_TEST_VALUE", large.c_str());
    CHECK(run(mp::Process(child, large)) == 0);
    set_environment("MP_TEST_VALUE", "");
}

#if !defined(_WIN32)
TEST_CASE("a plugin that a child loads finds the child's state, not its parent's", "[surroundings]") {
    const auto child = [] {
        const char* word = std::getenv("MULTIPROCESSING_STATE"); // what another image of the process would read
        std::exit(word && std::atoi(word) == ::getpid() ? 0 : 1);
    };
    CHECK(run(mp::Process(child)) == 0);
    set_environment("MP_TEST_VALUE",
                    "changed"); // so that the fork server's child takes over its parent's environment
    CHECK(run(mp::Process(child)) == 0);
    set_environment("MP_TEST_VALUE", "");
}
#endif

TEST_CASE("a child works in the directory that was current at start", "[surroundings]") {
    const auto before = std::filesystem::current_path();
    CHECK(run(mp::Process([] {})) == 0);
    std::filesystem::current_path(std::filesystem::temp_directory_path());
    const auto there = std::filesystem::current_path().string();
    CHECK(run(mp::Process(
              [](std::string expected) {
                  std::exit(std::filesystem::current_path().string() == expected ? 0 : 1);
              },
              there)) == 0);
    std::filesystem::current_path(before);
    CHECK(run(mp::Process(
              [](std::string expected) {
                  std::exit(std::filesystem::current_path().string() == expected ? 0 : 1);
              },
              before.string())) == 0);
}

#if !defined(_WIN32)

TEST_CASE("a child has the umask, limits and affinity of the moment", "[surroundings]") {
    CHECK(run(mp::Process([] {})) == 0);
    const mode_t umask_before = ::umask(0135);
    rlimit limit_before{};
    ::getrlimit(RLIMIT_NOFILE, &limit_before);
    rlimit limit = limit_before;
    limit.rlim_cur = 321;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    cpu_set_t affinity_before;
    ::sched_getaffinity(0, sizeof affinity_before, &affinity_before);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof one, &one);

    CHECK(run(mp::Process([] {
              if (::umask(0) != 0135) std::exit(1);
              rlimit now{};
              ::getrlimit(RLIMIT_NOFILE, &now);
              if (now.rlim_cur != 321) std::exit(2);
              cpu_set_t affinity;
              ::sched_getaffinity(0, sizeof affinity, &affinity);
              if (CPU_COUNT(&affinity) != 1) std::exit(3);
          })) == 0);

    ::umask(umask_before);
    ::setrlimit(RLIMIT_NOFILE, &limit_before);
    ::sched_setaffinity(0, sizeof affinity_before, &affinity_before);
}

TEST_CASE("a child has no descriptors but those it needs", "[surroundings]") {
    Tally counts;
    const int inheritable = ::open("/dev/null", O_RDONLY);
    std::vector<int> foreign; // the program's own: what is not close-on-exec
    for (int i = 3; i < 1000; ++i) {
        if (const int flags = ::fcntl(i, F_GETFD); flags != -1 && !(flags & FD_CLOEXEC)) foreign.push_back(i);
    }
    mp::Process sibling([](Tally t) { t.wait_for(1, 1); }, counts);
    sibling.start();
    mp::Process p(
        [](Tally t, const std::vector<int>& programs) {
            for (int i = 3; i < 1000; ++i) {
                if (::fcntl(i, F_GETFD) != -1) t.add(0, 1);
            }
            for (const int i : programs) {
                if (::fcntl(i, F_GETFD) != -1) t.add(2, 1);
            }
        },
        counts, foreign);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    // The shared memory, the strand of the lifeline, the ends that say that it and the tree are alive; nothing else of its
    // parent's or siblings'.
    if (mp::get_start_method() == mp::StartMethod::fork) {
        CHECK(counts.get(2) == static_cast<long>(foreign.size())); // copied, as by any fork
        CHECK(counts.get(0) == static_cast<long>(foreign.size()) + 4);
    } else {
        CHECK(counts.get(0) == 4);
    }
    counts.set(1, 1);
    sibling.join();
    ::close(inheritable);
}

TEST_CASE("start methods mix: each generation by another", "[surroundings]") {
    Tally tally;
    for (const auto first : mp::get_all_start_methods()) {
        for (const auto second : mp::get_all_start_methods()) {
            mp::Process p(
                {.start_method = first},
                [](Tally t, mp::StartMethod below) {
                    mp::Process child(
                        {.start_method = below}, [](Tally inner) { inner.add(0, 1); }, t);
                    child.start();
                    child.join();
                    std::exit(*child.exitcode());
                },
                tally, second);
            p.start();
            p.join();
            CHECK(p.exitcode() == 0);
        }
    }
    const auto methods = static_cast<long>(mp::get_all_start_methods().size());
    CHECK(tally.get(0) == methods * methods);
}

TEST_CASE("a child has the signal mask of the thread that started it, and default reactions",
          "[surroundings]") {
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const auto child = [](bool expected) {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        std::exit((::sigismember(&mask, SIGUSR2) == 1) == expected && ::sigismember(&mask, SIGTERM) == 0 ? 0
                                                                                                         : 1);
    };
    CHECK(run(mp::Process(child, true)) == 0);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK(run(mp::Process(child, false)) == 0);
}

TEST_CASE("a crash leaves a small core, however much memory is shared", "[surroundings]") {
    if (support::has_asan) return; // its shadow is in the core
    // A quarter of a GiB is shared and touched. Without MADV_DONTDUMP all of it would be in the core, and all that is
    // reserved would be looked at.
    auto& member = mp::detail::tree();
    const mp::detail::Block large{member.heap.allocate(256 << 20)};
    std::memset(&member.space.at<char>(large.position()), 'x', 256 << 20);
    const auto folder = std::filesystem::temp_directory_path() / ("core-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const auto crash = [](const std::string& where) {
        if (::chdir(where.c_str()) != 0) std::exit(2);
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_CORE, &unlimited) != 0) std::exit(3);
        std::abort();
    };
    const int code = run(mp::Process(crash, folder.string()));
    std::uintmax_t in_core = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        struct stat info {};
        REQUIRE(::stat(file.path().c_str(), &info) == 0);
        in_core += static_cast<std::uintmax_t>(info.st_blocks) * 512;
    }
    std::filesystem::remove_all(folder);
    if (code == 3) return; // this user may not raise the limit
    CHECK(code == -SIGABRT);
    CHECK(in_core < std::uintmax_t{64} << 20); // nothing, where the system pipes cores elsewhere
}

TEST_CASE("a child that is interrupted reports that", "[surroundings]") {
    Tally tally;
    mp::Process p(
        [](Tally t) {
            t.add(0, 1);
            for (;;) std::this_thread::sleep_for(1s);
        },
        tally);
    p.start();
    tally.wait_for(0, 1);
    p.interrupt();
    p.join();
    CHECK(p.exitcode() == -SIGINT);
}

TEST_CASE("a host that ignores SIGCHLD still learns how its children ended", "[surroundings]") {
    const auto before = std::signal(SIGCHLD, SIG_IGN);
    CHECK(run(mp::Process([] { std::exit(5); })) == 5);
    CHECK(run(mp::Process([] {})) == 0);
    Tally tally;
    mp::Process p(
        [](Tally t) {
            t.add(0, 1);
            for (;;) std::this_thread::sleep_for(1s);
        },
        tally);
    p.start();
    tally.wait_for(0, 1);
    p.kill();
    p.join();
    CHECK_FALSE(p.is_alive());
    CHECK_FALSE(p.exitcode()); // it could not say, and nobody else saw
    std::signal(SIGCHLD, before);
}

TEST_CASE("a host that waits for all children by itself takes nothing from us but the signal",
          "[surroundings]") {
    Tally tally;
    mp::Process p([](Tally t) { t.wait_for(0, 1), std::exit(6); }, tally);
    p.start();
    tally.add(0, 1);
    int status;
    while (::waitpid(-1, &status, 0) != p.pid()) {
    } // until there is none would be for ever: the fork server is one
    CHECK(p.join());
    CHECK(p.exitcode() == 6);
}

TEST_CASE("starting a process beside a thread that reads standard input does not hang", "[surroundings]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int before = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    std::thread reader([] {
        std::string line;
        std::getline(std::cin, line); // sits in here, holding the lock of stdin
    });
    std::this_thread::sleep_for(20ms);
    CHECK(run(mp::Process([] { std::exit(std::getchar() == EOF ? 0 : 1); })) == 0);
    REQUIRE(::write(ends[1], "\n", 1) == 1);
    reader.join();
    std::cin.clear();
    ::dup2(before, STDIN_FILENO);
    for (const int end : {ends[0], ends[1], before}) ::close(end);
}

TEST_CASE("in a copy that the program forks itself, processes are forgotten and new ones work",
          "[surroundings]") {
    Tally tally;
    mp::Process p([](Tally t) { t.wait_for(0, 1); }, tally);
    p.start();
    const int copy = ::fork();
    if (copy == 0) {
        try {
            p.join();
            ::_exit(1);
        } catch (const std::logic_error&) {}
        if (!mp::active_children().empty()) ::_exit(2);
        tally.add(1, 1); // what it has goes on working
        Tally fresh;     // and new ones are in a tree of its own
        mp::Process child([](Tally t) { t.add(0, 3); }, fresh);
        child.start();
        child.join();
        if (fresh.get(0) != 3) ::_exit(3);
        auto& launching = mp::detail::process_wide<mp::detail::LaunchState>();
        launching.stop_server();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(copy, &status, 0);
    CHECK(status == 0);
    CHECK(tally.get(1) == 1);
    CHECK(p.is_alive());
    tally.add(0, 1);
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a fork beside threads is warned of, once", "[surroundings]") {
    if (mp::get_start_method() != mp::StartMethod::fork) return;
    mp::detail::this_process().warned_of_threads = false; // another case may have been first
    const ExpectedLog log{"fork() beside 1 other thread"};
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) std::this_thread::sleep_for(1ms);
    });
    CHECK(run(mp::Process([] {})) == 0);
    CHECK(log.seen());
    const ExpectedLog again{"fork() beside"};
    CHECK(run(mp::Process([] {})) == 0);
    CHECK_FALSE(again.seen());
    stop = true;
    other.join();
}

TEST_CASE("a fork server that was killed is made anew", "[surroundings]") {
    if (mp::get_start_method() != mp::StartMethod::forkserver) return;
    CHECK(run(mp::Process([] {})) == 0);
    const int server = mp::detail::process_wide<mp::detail::LaunchState>().server->process->pid();
    ::kill(server, SIGKILL);
    CHECK(run(mp::Process([] {})) == 0);
    CHECK(mp::detail::process_wide<mp::detail::LaunchState>().server->process->pid() != server);
}

TEST_CASE("children of a fork server that was killed live on, and are still our own", "[surroundings]") {
    if (mp::get_start_method() != mp::StartMethod::forkserver) return;
    Tally tally;
    mp::Process p([](Tally t) { t.wait_for(0, 1), std::exit(8); }, tally);
    p.start();
    ::kill(mp::detail::process_wide<mp::detail::LaunchState>().server->process->pid(), SIGKILL);
    tally.add(0, 1);
    p.join();
    CHECK(p.exitcode() == 8);
}

namespace {
int preloaded = 0;
void preload() { preloaded = 5; }
} // namespace

TEST_CASE("what the fork server preloads is there in its children", "[surroundings]") {
    if (mp::get_start_method() != mp::StartMethod::forkserver) return;
    mp::set_forkserver_preload(preload);
    CHECK(run(mp::Process([] { std::exit(preloaded); })) == 5);
    mp::set_forkserver_preload(nullptr);
}

TEST_CASE("options say what is different in a child's environment", "[surroundings]") {
    ::setenv("MP_TEST_KEPT", "kept", 1);
    ::setenv("MP_TEST_CHANGED", "before", 1);
    ::setenv("MP_TEST_REMOVED", "before", 1);
    mp::Process p(
        {.env = {{"MP_TEST_CHANGED", "after"}, {"MP_TEST_NEW", "a=b"}, {"MP_TEST_REMOVED", std::nullopt}}}, [] {
            const auto is = [](const char* name, const char* value) {
                const char* const there = std::getenv(name);
                return value ? there && std::string(there) == value : !there;
            };
            if (!is("MP_TEST_KEPT", "kept")) std::exit(1);
            if (!is("MP_TEST_CHANGED", "after")) std::exit(2);
            if (!is("MP_TEST_NEW", "a=b")) std::exit(3);
            if (!is("MP_TEST_REMOVED", nullptr)) std::exit(4);
        });
    CHECK(run(std::move(p)) == 0);
    CHECK(std::getenv("MP_TEST_CHANGED") == std::string("before")); // ours is as it was
    CHECK(std::getenv("MP_TEST_NEW") == nullptr);
    CHECK(run(mp::Process([] { std::exit(std::getenv("MP_TEST_NEW") ? 1 : 0); })) == 0); // nor is the server's
    for (const char* const name : {"MP_TEST_KEPT", "MP_TEST_CHANGED", "MP_TEST_REMOVED"}) ::unsetenv(name);
    CHECK_THROWS_AS(mp::Process({.env = {{"A=B", "x"}}}, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Process({.env = {{"", "x"}}}, [] {}), std::invalid_argument);
}

TEST_CASE("options say where a child works", "[surroundings]") {
    const auto here = std::filesystem::current_path();
    mp::Process p({.cwd = "/"}, [] { std::exit(std::filesystem::current_path() == "/" ? 0 : 1); });
    CHECK(run(std::move(p)) == 0);
    CHECK(std::filesystem::current_path() == here);
    mp::Process nowhere({.cwd = "/no/such/folder"}, [] {});
    try {
        nowhere.start();
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) { CHECK_THAT(error.what(), ContainsSubstring("/no/such/folder")); }
    CHECK_FALSE(nowhere.is_alive());
    mp::Process empty({.cwd = ""}, [] {});
    CHECK_THROWS_AS(empty.start(), std::system_error);
}

#endif
