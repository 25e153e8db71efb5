// SPDX-License-Identifier: BSL-1.0
#include <process/copy.hpp>
#include <support/processes.hpp>

#include <support/sanitizers.hpp>

#include <multiprocessing/connection.hpp>

#if !defined(_WIN32)
#include <atomic>
#include <csignal>
#include <cstdlib>

#include <sys/resource.h>

using namespace process;

namespace {

bool by_fork_server() { return mp::get_start_method() == mp::StartMethod::forkserver; }

int exit_code_of(mp::Process p) {
    p.start();
    p.join();
    return p.exitcode().value();
}

void do_nothing() {}

int server_pid() { return mp::detail::process_wide<mp::detail::LaunchState>().server->process->pid(); }

/// While it lives, fork servers run `preload` first.
struct Preload {
    explicit Preload(void (*preload)()) {
        mp::detail::process_wide<mp::detail::LaunchState>().stop_server();
        mp::set_forkserver_preload(preload);
    }
    Preload(const Preload&) = delete;
    Preload& operator=(const Preload&) = delete;
    ~Preload() {
        mp::set_forkserver_preload(nullptr);
        mp::detail::process_wide<mp::detail::LaunchState>().stop_server();
    }
};

int loaded = 0;
void load_slowly() {
    std::this_thread::sleep_for(6s); // longer than a server that is loaded may take to answer
    loaded = 5;
}
void load_and_leave_thread() {
    loaded = 6;
    std::thread([] {
        for (;;) std::this_thread::sleep_for(1s);
    }).detach();
}
void wait_for_ever() {
    for (;;) std::this_thread::sleep_for(1h);
}

} // namespace

TEST_CASE("a fork server that is stopped is replaced, and fork() does not wait for it", "[forkserver]") {
    if (!by_fork_server()) return;
    CHECK(exit_code_of(mp::Process(do_nothing)) == 0);
    const int stopped = server_pid();
    ::kill(stopped, SIGSTOP);
    std::atomic<bool> started{false};
    std::thread starter([&] {
        mp::Process p(do_nothing);
        p.start();
        started = true;
        p.join();
    });
    std::this_thread::sleep_for(100ms); // into the wait, most likely
    const int copy = ::fork();
    if (copy == 0) ::_exit(0);
    mp::Process other({.start_method = mp::StartMethod::spawn}, do_nothing);
    other.start();
    CHECK_FALSE(started);
    int status = 0;
    ::waitpid(copy, &status, 0);
    other.join();
    starter.join();
    CHECK(started);
    CHECK(server_pid() != stopped);
}

TEST_CASE("a preload function may take longer than an answer", "[forkserver]") {
    if (!by_fork_server()) return;
    const Preload preload{load_slowly};
    CHECK(exit_code_of(mp::Process([] { std::exit(loaded); })) == 5);
}

TEST_CASE("a preload function that waits for ever is an error of the start", "[forkserver]") {
    if (!by_fork_server()) return;
    const Preload preload{wait_for_ever};
    mp::Process p(do_nothing);
    CHECK_THROWS_WITH(p.start(), ContainsSubstring("set_forkserver_preload()"));
    CHECK_FALSE(p.pid());
}

TEST_CASE("beside a thread in the fork server children are spawned, with what was preloaded", "[forkserver]") {
    if (!by_fork_server()) return;
    mp::detail::process_wide<mp::detail::LaunchState>().warned_of_server_threads = false;
    const Preload preload{load_and_leave_thread};
    const ExpectedLog log{"has 1 other thread(s)"};
    CHECK(exit_code_of(mp::Process([] { std::exit(loaded); })) == 6);
    CHECK(log.seen());
    const ExpectedLog again{"other thread(s)"};
    for (int i = 0; i < 20; ++i) CHECK(exit_code_of(mp::Process(do_nothing)) == 0);
    CHECK_FALSE(again.seen());
}

TEST_CASE("handles that the fork server has no room for are counted in an exception", "[forkserver]") {
    if (!by_fork_server()) return;
    CHECK(exit_code_of(mp::Process(do_nothing)) == 0);
    const rlimit few{24, 24};
    REQUIRE(::prlimit(server_pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
    std::vector<mp::Connection> here;
    std::vector<mp::Connection> there;
    for (int i = 0; i < 100; ++i) {
        auto [a, b] = mp::Pipe();
        a.fileno(); // a socket
        here.push_back(std::move(a));
        there.push_back(std::move(b));
    }
    mp::Process p([](std::vector<mp::Connection> ends) { std::exit(static_cast<int>(ends.size())); },
                  std::move(there));
    CHECK_THROWS_WITH(p.start(), ContainsSubstring("handles that go along") && ContainsSubstring("10"));
    CHECK(exit_code_of(mp::Process(do_nothing)) == 0); // it serves on
    mp::detail::process_wide<mp::detail::LaunchState>().stop_server();
    p.start(); // nothing of the attempt is left: the same Process starts where there is room
    p.join();
    CHECK(p.exitcode() == 100);
}

TEST_CASE("the fork server has room for all that its parent may pass", "[forkserver]") {
    if (!by_fork_server()) return;
    CHECK(in_copy([] {
              rlimit all{};
              ::getrlimit(RLIMIT_NOFILE, &all);
              const rlimit few{40, all.rlim_max};
              ::setrlimit(RLIMIT_NOFILE, &few);
              if (exit_code_of(mp::Process(do_nothing)) != 0) return 1;
              ::setrlimit(RLIMIT_NOFILE, &all);
              std::vector<mp::Connection> here;
              std::vector<mp::Connection> there;
              for (int i = 0; i < 60; ++i) {
                  auto [a, b] = mp::Pipe();
                  a.fileno();
                  here.push_back(std::move(a));
                  there.push_back(std::move(b));
              }
              const auto count = [](std::vector<mp::Connection> ends, std::uint64_t soft) {
                  rlimit now{};
                  ::getrlimit(RLIMIT_NOFILE, &now);
                  std::exit(now.rlim_cur == soft ? static_cast<int>(ends.size()) : 1);
              };
              return exit_code_of(mp::Process(count, std::move(there), std::uint64_t{all.rlim_cur})) == 60 ? 0
                                                                                                           : 2;
          }) == 0);
}

TEST_CASE("a fork server that is killed at any instant costs no start and leaves no child", "[forkserver]") {
    if (!by_fork_server()) return;
    for (int i = 0; i < 60; ++i) {
        CHECK(exit_code_of(mp::Process(do_nothing)) == 0);
        const int server = server_pid();
        std::thread killer([server, i] {
            std::this_thread::sleep_for(std::chrono::microseconds{7 * i});
            ::kill(server, SIGKILL);
        });
        CHECK(exit_code_of(mp::Process(do_nothing)) == 0);
        killer.join();
    }
}

#endif
