// SPDX-License-Identifier: BSL-1.0
// What a task has started ends with its worker, however that ends.
#include <platform/support.hpp>
#include <support/processes.hpp>
#include <support/sanitizers.hpp>
#include <support/tally.hpp>

#include <multiprocessing/detail/platform/process_watch.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#if !defined(_WIN32)
#include <signal.h>
#include <unistd.h>
#endif

using namespace process;
using support::Tally;

namespace {

/// Starts a program that runs until it is ended, and tells its pid.
void start_another(const Tally& tally) {
    auto request = contracts::child_program({"run_for_ever"});
    const auto pipe = contracts::platform::make_pipe();
    request.argument(request.pass(pipe.writer));
    const auto child = contracts::platform::spawn(request);
    contracts::read_text(pipe.reader, 2);
    tally.set(0, child.pid());
}

/// What a worker does when it has started another process.
struct Starter {
    Tally tally;
    Tally seen; // the test holds a handle of the process
    std::string then;
    int operator()(int x) const {
        if (then == "fail" && x == 1) { // when its neighbour has started another
            seen.wait_for(0, 1);
            throw std::domain_error("a neighbour");
        }
        start_another(tally);
        seen.wait_for(0, 1);
        if (then == "throw") throw std::runtime_error("as it was told");
        if (then == "exit") std::exit(3);
        if (then == "abort") std::abort();
        if (then == "crash") {
            volatile int* volatile nowhere = nullptr;
            *nowhere = 1;
        }
        while (then == "run" || then == "fail") std::this_thread::sleep_for(1h);
        return 0;
    }
};

/// Waits until the process has been started, and then, when `end()` was called, for its end.
class Started {
public:
    const Starter& starter(const std::string& then) {
        starter_.then = then;
        return starter_;
    }
    template <class End>
    bool ends_with(End end) {
        starter_.tally.wait_for(0, 1);
        const auto started = contracts::platform::watch_process(static_cast<int>(starter_.tally.get(0)));
        REQUIRE(started);
        starter_.seen.set(0, 1);
        end();
        return contracts::platform::wait_one(started->native(), contracts::patience());
    }

private:
    Starter starter_{};
};

} // namespace

TEST_CASE("what a task has started ends with a worker that ends by itself", "[pool]") {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 1});
    for (const std::string then : {"return", "throw", "exit", "abort", "crash"}) {
        if (support::has_asan && then == "crash") continue; // it ends the process by itself then
        INFO(then);
        Started started;
        const auto result = pool.apply_async(started.starter(then), 0);
        CHECK(started.ends_with([&] {
            result.wait();
            CHECK(result.successful() == (then == "return"));
        }));
    }
}

TEST_CASE("what a task has started ends with a worker that is ended", "[pool]") {
    Started started;
    mp::Pool pool(1);
    const auto result = pool.apply_async(started.starter("run"), 0);
    SECTION("by kill()") {
        CHECK(started.ends_with([&] { result.kill(); }));
    }
    SECTION("by terminate()") {
        CHECK(started.ends_with([&] { pool.terminate(); }));
    }
    SECTION("by the end of its pool") {
        CHECK(started.ends_with([&] { const mp::Pool ending = std::move(pool); }));
    }
    if (!result.ready()) return;
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
}

TEST_CASE("what a task has started ends with a worker that the failure of a neighbour ends", "[pool]") {
    Started started;
    mp::Pool pool(2);
    const auto result = pool.map_async(started.starter("fail"), {0, 1}, {.chunksize = 1, .fail_fast = true});
    CHECK(started.ends_with([] {}));
    CHECK_THROWS_AS(result.get(), std::domain_error);
}

TEST_CASE("what a task has started ends with a worker that leaves", "[pool]") {
    Started started;
    SECTION("as its pool is closed") {
        mp::Pool pool(1);
        const auto result = pool.apply_async(started.starter("return"), 0);
        CHECK(started.ends_with([&] {
            CHECK(result.get() == 0);
            pool.close();
            pool.join();
        }));
    }
    SECTION("as its executor is shut down") {
        mp::futures::ProcessPoolExecutor executor(1);
        const auto future = executor.submit(started.starter("return"), 0);
        CHECK(started.ends_with([&] {
            CHECK(future.result() == 0);
            executor.shutdown();
        }));
    }
    SECTION("as its executor kills the workers") {
        mp::futures::ProcessPoolExecutor executor(1);
        const auto future = executor.submit(started.starter("run"), 0);
        CHECK(started.ends_with([&] { executor.kill_workers(); }));
    }
}

#if !defined(_WIN32)
TEST_CASE("a daemon that a task has started goes on when its worker ends", "[pool]") {
    const Tally tally;
    {
        mp::Pool pool(1);
        pool.apply(
            [](const Tally& started) {
                const pid_t daemon = ::fork();
                if (daemon == 0) {
                    ::setsid();
                    started.set(0, ::getpid());
                    for (;;) ::pause();
                }
                started.wait_for(0, 1);
            },
            tally);
        pool.close();
        pool.join();
    }
    const auto daemon = static_cast<pid_t>(tally.get(0));
    REQUIRE(daemon > 0);
    CHECK(::kill(daemon, 0) == 0);
    ::kill(daemon, SIGKILL);
}
#endif
