// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/processes.hpp>

#include <support/program.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/pool.hpp>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <ranges>
#include <set>
#include <vector>

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

int identity(int x) { return x; }

/// An exit at once, without a word, as a crash would be.
void vanish(int code) { mp::detail::platform::exit_now(code); }

int slow(int x) {
    std::this_thread::sleep_for(1ms);
    return x;
}

struct Unreadable {
    int value = 0;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(value);
        if (value == 13) throw std::domain_error("unlucky");
    }
};

} // namespace

TEST_CASE("a task's exception arrives in the caller, and harms nobody else", "[pool]") {
    mp::Pool pool(2);
    try {
        pool.apply([] { throw std::invalid_argument("expected by a test"); });
        FAIL("nothing was thrown");
    } catch (const std::invalid_argument& error) {
        CHECK(std::string(error.what()) == "expected by a test");
        const mp::RemoteCause* cause = mp::remote_cause(error);
        REQUIRE(cause);
        CHECK(cause->type == "std::invalid_argument");
        CHECK_THAT(cause->process, ContainsSubstring("PoolWorker"));
        CHECK(cause->pid != mp::current_process().pid());
    }
    CHECK(pool.apply(identity, 3) == 3);
}

TEST_CASE("a map throws the error that is first in the order of its items, after all are through", "[pool]") {
    mp::Pool pool(2);
    struct Fails {
        Tally tally;
        int operator()(int x) const {
            tally.add(0, 1);
            if (x == 900) throw std::runtime_error("at 900");
            if (x == 40) throw std::out_of_range("at 40");
            return x;
        }
    };
    Tally tally;
    CHECK_THROWS_WITH(pool.map(Fails{tally}, std::views::iota(0, 1000)), "at 40");
    CHECK(tally.get(0) == 1000);
    CHECK_THROWS_AS(pool.map(Fails{tally}, std::views::iota(100, 1000), {.chunksize = 7}), std::runtime_error);
    CHECK(tally.get(0) == 1900);
    const auto strings = [](int x) {
        if (x == 3) throw std::range_error("in an archive");
        return std::to_string(x);
    };
    CHECK_THROWS_AS(pool.map(strings, std::views::iota(0, 10)), std::range_error);
    CHECK(pool.map(identity, {1, 2}) == std::vector{1, 2});
}

TEST_CASE("a worker that ends with a task is replaced, and its task says how it ended", "[pool]") {
    mp::Pool pool(2);
    try {
        pool.apply(vanish, 3);
        FAIL("nothing was thrown");
    } catch (const mp::WorkerLostError& error) {
        CHECK(error.exitcode() == 3);
        CHECK(error.pid() > 0);
        CHECK_FALSE(error.task_index());
        CHECK_THAT(error.what(), ContainsSubstring("PoolWorker"));
        CHECK_THAT(error.what(), ContainsSubstring(" (number " + std::to_string(error.worker().value()) +
                                                   ", pid " + std::to_string(error.pid()) +
                                                   ") ended with exit code 3 while it ran a task"));
    }
    CHECK_THROWS_AS(pool.apply([] { std::exit(5); }), mp::WorkerLostError);
    CHECK_THROWS_AS(pool.apply([] { std::abort(); }), mp::WorkerLostError);
    for (int i = 0; i < 20; ++i) CHECK(pool.apply(identity, i) == i);
    CHECK(support::comes_to_have_children(2));
}

TEST_CASE("a worker that is killed loses its item only, the rest is through", "[pool]") {
    mp::Pool pool(2);
    struct Kills {
        Tally tally;
        int operator()(int x) const {
            slow(x);
            if (x == 37) vanish(9);
            tally.add(x, 1);
            return x;
        }
    };
    for (const std::size_t chunksize : {0u, 1u, 10u, 64u}) {
        Tally tally;
        try {
            pool.map(Kills{tally}, std::views::iota(0, 64), {.chunksize = chunksize});
            FAIL("nothing was thrown");
        } catch (const mp::WorkerLostError& error) {
            CHECK(error.task_index() == 37u);
            CHECK(error.exitcode() == 9);
            CHECK_THAT(error.what(), ContainsSubstring("item 37"));
        }
        std::string wrong;
        for (int i = 0; i < 64; ++i) {
            if (tally.get(i) != (i == 37 ? 0 : 1))
                wrong += std::to_string(i) + ": " + std::to_string(tally.get(i)) + " ";
        }
        INFO("chunksize " << chunksize);
        CHECK(wrong == "");
    }
}

TEST_CASE("an exception of an earlier item comes before a loss, and the other way round", "[pool]") {
    mp::Pool pool(2);
    const auto both = [](int x) {
        slow(x);
        if (x == 5) throw std::length_error("earlier");
        if (x == 50) vanish(1);
        return x;
    };
    CHECK_THROWS_AS(pool.map(both, std::views::iota(0, 60)), std::length_error);
    const auto reversed = [](int x) {
        slow(x);
        if (x == 5) vanish(1);
        if (x == 50) throw std::length_error("later");
        return x;
    };
    CHECK_THROWS_AS(pool.map(reversed, std::views::iota(0, 60)), mp::WorkerLostError);
}

TEST_CASE("quick items are lost by blocks, the others are through", "[pool]") {
    mp::Pool pool(2);
    try {
        pool.map([](int x) { return x == 5000 ? (vanish(1), 0) : x; }, std::views::iota(0, 10'000));
        FAIL("nothing was thrown");
    } catch (const mp::WorkerLostError& error) {
        CHECK(error.task_index().value() <= 5000u);
        CHECK(error.task_index().value() + 64 > 5000u);
    }
}

TEST_CASE("an argument or result that cannot cross fails by itself", "[pool]") {
    mp::Pool pool(1);
    CHECK_THROWS_AS(pool.apply([](Unreadable) {}, Unreadable{13}), std::domain_error); // where it is written
    CHECK_THROWS_AS(pool.apply([] { return Unreadable{13}; }), std::domain_error);     // in the worker
    CHECK_THROWS_AS(pool.map([](int x) { return Unreadable{x}; }, {12, 13, 14}), std::domain_error);
    CHECK(pool.apply([] { return Unreadable{12}; }).value == 12);
}

TEST_CASE("initializers run once in every worker, before any task", "[pool]") {
    static int initialised = 0;
    Tally tally;
    mp::Pool pool(
        3, [](int value, Tally t) { initialised += value, t.add(0, 1); }, 5, tally);
    for (int i = 0; i < 30; ++i) CHECK(pool.apply([] { return initialised; }) == 5);
    tally.wait_for(0, 3);
    CHECK_THROWS_AS(pool.apply(vanish, 1), mp::WorkerLostError);
    tally.wait_for(0, 4); // and in a replacement
    CHECK(pool.apply([] { return initialised; }) == 5);
}

TEST_CASE("a failing initializer breaks the pool with its own error, and starts no storm", "[pool]") {
    Tally tally;
    mp::Pool pool(
        2,
        [](Tally t) {
            t.add(0, 1);
            throw std::domain_error("no database");
        },
        tally);
    CHECK_THROWS_WITH(pool.apply(identity, 1), "no database");
    CHECK_THROWS_AS(pool.apply(identity, 1), std::domain_error);
    CHECK_THROWS_AS(pool.map(identity, {1, 2, 3}), std::domain_error);
    CHECK(tally.get(0) <= 2);
    pool.close();
    pool.join();
}

TEST_CASE("workers that end in their initializer break the pool", "[pool]") {
    mp::Pool pool(2, vanish, 7);
    try {
        pool.apply(identity, 1);
        FAIL("nothing was thrown");
    } catch (const mp::WorkerLostError& error) {
        CHECK(error.exitcode() == 7);
        CHECK_THAT(error.what(), ContainsSubstring("before they can work"));
    }
}

TEST_CASE("workers are replaced after their share of tasks", "[pool]") {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 5});
    std::map<int, int> tasks;
    for (int i = 0; i < 60; ++i) ++tasks[pool.apply([] { return mp::current_process().pid(); })];
    for (const auto& [pid, count] : tasks) CHECK(count <= 5);
    const auto pids = pool.map([](int) { return mp::current_process().pid(); }, std::views::iota(0, 100));
    std::map<int, int> items;
    for (const int pid : pids) ++items[pid];
    for (const auto& [pid, count] : items) CHECK(count <= 5);
    // A chunk that is told is honoured all the same, by a worker of its own.
    const auto large =
        pool.map([](int) { return mp::current_process().pid(); }, std::views::iota(0, 20), {.chunksize = 10});
    CHECK(std::set<int>(large.begin(), large.begin() + 10).size() == 1);
    CHECK(large[0] != large[10]);
}

TEST_CASE("a closed pool finishes what it has and takes no more", "[pool]") {
    mp::Pool pool(2);
    CHECK_THROWS_AS(pool.join(), std::invalid_argument);
    auto result = pool.map_async(slow, std::views::iota(0, 50));
    auto task = pool.apply_async(identity, 4);
    pool.close();
    pool.close();
    CHECK_THROWS_AS(pool.apply(identity, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.map(identity, {1}), std::invalid_argument);
    pool.join();
    pool.join();
    CHECK(result.get().size() == 50);
    CHECK(task.get() == 4);
    CHECK(mp::active_children().empty());
}

TEST_CASE("a terminated pool ends at once, and who waits gets CancelledError", "[pool]") {
    Tally tally;
    mp::Pool pool(2);
    auto result = pool.apply_async(
        [](Tally t) {
            t.add(0, 1);
            for (;;) std::this_thread::sleep_for(1s);
        },
        tally);
    auto queued = pool.map_async(slow, std::views::iota(0, 100'000));
    tally.wait_for(0, 1);
    pool.terminate();
    pool.join();
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    CHECK_THROWS_AS(queued.get(), mp::CancelledError);
    CHECK_THROWS_AS(pool.apply(identity, 1), std::invalid_argument);
    CHECK(mp::active_children().empty());
}

TEST_CASE("at the end of its scope a pool is terminated, with a warning if work was left", "[pool]") {
    const ExpectedLog log{"a Pool ends with work that is not done"};
    Tally tally;
    std::optional<mp::AsyncResult<void>> left;
    {
        mp::Pool pool(1);
        pool.apply(identity, 1);
    }
    // A worker may still be about to leave a map that was read.
    for (int i = 0; i < 30; ++i) {
        mp::Pool pool(2);
        pool.map(identity, {1, 2, 3}, {.chunksize = 1});
    }
    CHECK_FALSE(log.seen());
    {
        mp::Pool pool(1);
        left = pool.apply_async(
            [](Tally t) {
                t.add(0, 1);
                for (;;) std::this_thread::sleep_for(1s);
            },
            tally);
        tally.wait_for(0, 1);
    }
    CHECK(log.seen());
    CHECK_THROWS_AS(left->get(), mp::CancelledError);
    {
        mp::Pool pool({.processes = 1, .on_exit = mp::OnExit::join});
        pool.apply_async([](Tally t) { slow(1), t.add(1, 1); }, tally);
        pool.apply_async([](Tally t) { slow(1), t.add(1, 1); }, tally);
    }
    CHECK(tally.get(1) == 2);
}

TEST_CASE("pools nest: a task may have a pool and processes of its own", "[pool]") {
    mp::Pool pool(2);
    const auto results = pool.map(
        [](int n) {
            mp::Pool inner(2);
            const auto squares = inner.map([](int x) { return x * x; }, std::views::iota(0, n));
            mp::Process process([] {});
            process.start();
            process.join();
            int sum = *process.exitcode();
            for (const int square : squares) sum += square;
            return sum;
        },
        {3, 4, 5});
    CHECK(results == std::vector{5, 14, 30});
}

TEST_CASE("a pool is moved, and belongs to the process that made it", "[pool]") {
    mp::Pool first(1);
    mp::Pool pool = std::move(first);
    CHECK(pool.apply(identity, 2) == 2);
    CHECK_THROWS_AS(first.apply(identity, 2), std::logic_error);
    pool = mp::Pool(2);
    CHECK(pool.apply(identity, 3) == 3);
    if (mp::get_start_method() != mp::StartMethod::fork) return;
    static mp::Pool* inherited = &pool;
    mp::Process child([] {
        try {
            inherited->apply(identity, 1);
        } catch (const std::logic_error&) { return; }
        std::exit(1);
    });
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
}

TEST_CASE("bad options are refused before anything is started", "[pool]") {
    CHECK_THROWS_AS(mp::Pool(-1), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 5000}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .maxtasksperchild = -3}), std::invalid_argument);
    CHECK(mp::active_children().empty());
}

#if !defined(_WIN32)
TEST_CASE("workers pay no attention to Ctrl-C", "[pool]") {
    mp::Pool pool(2);
    CHECK(pool.apply(identity, 1) == 1);
    for (const auto& child : mp::active_children()) ::kill(child.pid(), SIGINT);
    CHECK(pool.map(slow, std::views::iota(0, 20)).size() == 20);
    CHECK(support::comes_to_have_children(2));
}

#endif

TEST_CASE("idle workers that are killed are replaced", "[pool]") {
    mp::Pool pool(2);
    for (int round = 0; round < 5; ++round) {
        CHECK(pool.map(identity, std::views::iota(0, 10)).size() == 10);
        for (const auto& child : mp::active_children()) support::kill_process(child.pid());
    }
    CHECK(pool.apply(identity, 1) == 1);
}

TEST_CASE("a pool may have more workers than a platform waits for at once", "[pool]") {
    mp::Pool pool(70); // Windows: 64 handles
    Tally tally;
    const auto all_at_once = [](Tally t) {
        t.add(0, 1);
        t.wait_for(0, 70);
        return mp::current_process().pid();
    };
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < 70; ++i) results.push_back(pool.apply_async(all_at_once, tally));
    std::set<int> pids;
    for (const auto& result : results) pids.insert(result.get());
    CHECK(pids.size() == 70);
    CHECK_THROWS_AS(pool.apply(vanish, 1), mp::WorkerLostError); // the end of any of them is noticed
    CHECK(support::comes_to_have_children(70));
}

TEST_CASE("a program ends in order while a pool is at work, and when it is leaked", "[pool]") {
    CHECK(support::output_of("leaves_pool_running").exitcode == 0);
    CHECK(support::output_of("leaks_pool").exitcode == 0);
}

#if !defined(MP_TEST_HAS_ASAN) && !defined(__SANITIZE_THREAD__) // they handle crashes themselves

namespace {

int crash_in_task(int* address) {
    *static_cast<volatile int*>(address) = 1;
    return 1;
}

int overflow(volatile int* depth) { // endless, which the compiler is not to see
    volatile char frame[1024];
    frame[0] = static_cast<char>(*depth);
    *depth = *depth + 1;
    return *depth == 0 ? 0 : overflow(depth) + frame[0];
}

int crash(int how) {
    volatile int depth = 0;
    switch (how) {
    case 0: return crash_in_task(nullptr);
    case 1: std::abort();
    case 2: return overflow(&depth);
#if !defined(_WIN32)
    case 3: return ::kill(::getpid(), SIGBUS);
    case 4: return ::kill(::getpid(), SIGKILL);
    case 5:
        std::signal(SIGSEGV, [](int) { mp::detail::platform::exit_now(42); });
        return crash_in_task(nullptr);
    case 6: // a process of the task's own crashes, then this one is killed
        if (const pid_t child = ::fork(); child == 0) {
            std::abort();
        } else {
            ::waitpid(child, nullptr, 0);
        }
        return ::kill(::getpid(), SIGKILL);
    case 8: { // a handler that calls the one that it has replaced
        static struct sigaction replaced;
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
            replaced.sa_sigaction(signal, info, context);
        };
        ::sigaction(SIGSEGV, &action, &replaced);
        return crash_in_task(nullptr);
    }
#endif
    default: return how;
    }
}

mp::WorkerLostError loss_by(mp::Pool& pool, int how) {
    try {
        pool.apply(crash, how);
    } catch (const mp::WorkerLostError& error) { return error; }
    throw std::runtime_error("nothing was lost");
}

} // namespace

/// Catch2 3 handles crashes itself, and so does what is forked from it.
bool is_recorded() {
#if defined(_WIN32)
    return true;
#else
    struct sigaction action {};
    ::sigaction(SIGSEGV, nullptr, &action);
    return action.sa_handler == SIG_DFL || mp::get_start_method() != mp::StartMethod::fork;
#endif
}

bool is_wine() {
#if defined(_WIN32)
    return mp::detail::platform::system_function<const char*()>(L"ntdll.dll", "wine_get_version") != nullptr;
#else
    return false;
#endif
}

TEST_CASE("the loss of a worker that crashed tells where, and it ends as it would have", "[pool]") {
    if (!is_recorded()) return;
    const std::string program = mp::detail::platform::program_path().filename().string();
    mp::Pool pool(1);
    for (const int how : {0, 1, 2}) {
        // Wine leaves a stack that has overflowed one page, whatever it is asked for.
        if (how == 2 && is_wine()) continue;
        const mp::WorkerLostError error = loss_by(pool, how);
        INFO(error.what());
        CHECK_THAT(error.trace(), ContainsSubstring(program + "+0x"));
        CHECK_THAT(error.what(), ContainsSubstring("; the crash was at\n" + error.trace()));
        CHECK(error.what()[std::strlen(error.what()) - 1] != '\n');
#if !defined(_WIN32)
        CHECK(error.exitcode() == -(how == 1 ? SIGABRT : SIGSEGV));
#endif
    }
    CHECK(pool.apply(crash, 7) == 7);
}

#if !defined(_WIN32)
TEST_CASE("a worker that was killed from outside, or handles its crashes, has no trace but the right exit code",
          "[pool]") {
    if (!is_recorded()) return;
    mp::Pool pool(1);
    const mp::WorkerLostError sent = loss_by(pool, 3);
    CHECK(sent.exitcode() == -SIGBUS);
    CHECK_FALSE(sent.trace().empty());
    const mp::WorkerLostError killed = loss_by(pool, 4);
    CHECK(killed.exitcode() == -SIGKILL);
    CHECK(killed.trace().empty());
    const mp::WorkerLostError handled = loss_by(pool, 5);
    CHECK(handled.exitcode() == 42);
    CHECK(handled.trace().empty());
    const mp::WorkerLostError after_another = loss_by(pool, 6);
    CHECK(after_another.exitcode() == -SIGKILL);
    CHECK(after_another.trace().empty());
    const mp::WorkerLostError passed_on = loss_by(pool, 8);
    CHECK(passed_on.exitcode() == -SIGSEGV);
    CHECK_FALSE(passed_on.trace().empty());
}
#endif

#endif
