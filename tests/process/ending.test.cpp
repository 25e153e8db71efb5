// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <support/program.hpp>
#include <support/sanitizers.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>

#if !defined(_WIN32)
#include <csignal>
#include <pthread.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

struct SaysGoodbye {
    Tally tally;
    int index;
    ~SaysGoodbye() { tally.add(index, 1); }
};

void unwind_by_return(Tally tally) {
    const SaysGoodbye local{tally, 0};
    mp::at_child_exit([tally] { tally.set(1, tally.get(0)); });
}

void end_by_exit(Tally tally) {
    mp::at_child_exit([tally] { tally.add(1, 1); });
    std::exit(3);
}

} // namespace

TEST_CASE("a child unwinds its function, then runs its exit functions, last first", "[ending]") {
    Tally tally;
    mp::Process p(unwind_by_return, tally);
    p.start();
    p.join();
    CHECK(tally.get(1) == 1); // the local was gone by then

    mp::Process q(
        [](Tally t) {
            mp::at_child_exit([t] { t.set(2, t.get(2) * 10 + 1); });
            mp::at_child_exit([t] { t.set(2, t.get(2) * 10 + 2); });
            mp::at_child_exit([]() { throw std::runtime_error("is logged"); });
        },
        tally);
    q.start();
    q.join();
    CHECK(q.exitcode() == 0);
    CHECK(tally.get(2) == 21);
}

TEST_CASE("std::exit in a function, or in a thread of it, is the child's exit code", "[ending]") {
    if (!mp::detail::platform::can_fork) return; // there std::exit takes the program's own course
    Tally tally;
    mp::Process p(end_by_exit, tally);
    p.start();
    p.join();
    CHECK(p.exitcode() == 3);
    CHECK(tally.get(1) == 1);
    mp::Process q([] { std::thread([] { std::exit(4); }).join(); });
    q.start();
    q.join();
    CHECK(q.exitcode() == 4);
}

TEST_CASE("std::exit in a function that has started processes ends it, after its exit functions, and them",
          "[ending]") {
    Tally tally;
    mp::Process p(
        [](Tally t) {
            mp::at_child_exit([t] { t.set(1, static_cast<std::int64_t>(mp::active_children().size())); });
            mp::Process ended([] {});
            ended.start();
            ended.join();
            mp::Process daemon(
                {.daemon = true}, [](Tally inner) { inner.wait_for(2, 1); }, t);
            daemon.start();
            t.add(0, 1);
            std::exit(6);
        },
        tally);
    p.start();
    CHECK(p.join(60s));
    p.kill();
    p.join();
    CHECK(p.exitcode() == 6);
    CHECK(tally.get(0) == 1);
    if (mp::detail::platform::can_fork) CHECK(tally.get(1) == 1);
}

#if !defined(_WIN32)
namespace {

void exit_in_function() {
    mp::at_child_exit([] { std::exit(12); });
    mp::at_child_exit([] { std::exit(11); });
    std::exit(3);
}
void exit_in_function_after_return() {
    mp::at_child_exit([] { std::exit(11); });
}
void exit_in_thread_of_function() {
    mp::at_child_exit([] { std::thread([] { std::exit(13); }).join(); }); // which waits for what waits for it
}
void exit_in_two_threads() {
    std::thread one([] { std::exit(5); });
    std::thread two([] { std::exit(5); });
    one.join();
    two.join();
}
void exit_beside_target() {
    std::thread([] { std::exit(6); }).detach();
    for (;;) {
        mp::Process p([] {});
        p.start();
        p.join();
    }
}
void exit_in_handler() {
    std::signal(SIGUSR1, [](int) { std::exit(7); });
    mp::Process child({.daemon = true}, [] { std::this_thread::sleep_for(1h); });
    child.start();
    std::raise(SIGUSR1);
}
void exit_in_handler_at_end() {
    std::signal(SIGUSR1, [](int) { std::exit(8); });
    mp::at_child_exit([] { std::raise(SIGUSR1); });
}
void exit_in_destructor() {
    struct Exits {
        ~Exits() { std::exit(9); }
    };
    const Exits local;
    throw 1;
}
void thread_exit_in_function() {
    mp::at_child_exit([] { std::exit(15); });
    mp::at_child_exit([] { ::pthread_exit(nullptr); });
    std::exit(14);
}
void exit_quickly() { std::quick_exit(10); }

void start_until_alarm(int microseconds) {
    std::signal(SIGALRM, [](int) { std::exit(7); });
    ::ualarm(static_cast<useconds_t>(microseconds), 0);
    for (;;) {
        mp::Process p({.daemon = true}, [] { std::this_thread::sleep_for(1h); });
        p.start();
        p.kill();
        p.join();
    }
}

} // namespace

TEST_CASE("std::exit ends a child wherever it is called, with its code", "[ending]") {
    const std::pair<void (*)(), int> ends[]{
        {exit_in_function, 12},           {exit_in_function_after_return, 11},
        {exit_in_thread_of_function, 13}, {exit_in_two_threads, 5},
        {exit_beside_target, 6},          {exit_in_handler, 7},
        {exit_in_handler_at_end, 8},      {exit_in_destructor, 9},
        {thread_exit_in_function, 15},    {exit_quickly, 10}};
    for (const auto& [target, code] : ends) {
        mp::Process p(target);
        p.start();
        CHECK(p.join(60s));
        p.kill();
        p.join();
        CHECK(p.exitcode() == code);
    }
}

TEST_CASE("std::exit in a signal handler ends a child in the middle of a start", "[ending]") {
    if (support::has_asan) return; // the signal may come while its allocator holds a lock
    for (int i = 0; i < 40; ++i) {
        mp::Process p(start_until_alarm, 3000 + 97 * i);
        p.start();
        CHECK(p.join(60s));
        p.kill();
        p.join();
        CHECK(p.exitcode() == 7);
    }
}
#endif

TEST_CASE("exit functions run after an exception, too", "[ending]") {
    Tally tally;
    mp::Process p(
        [](Tally t) {
            mp::at_child_exit([t] { t.add(0, 1); });
            throw std::runtime_error("expected by a test");
        },
        tally);
    p.start();
    p.join();
    CHECK(p.exitcode() == 1);
    CHECK(tally.get(0) == 1);
}

TEST_CASE("no exit handler or static destructor of the program runs in a child", "[ending]") {
    Tally tally;
    mp::Process p(
        [](Tally t) {
            static Tally kept = t;
            std::atexit([] { kept.add(0, 1); });
            static const SaysGoodbye goodbye{t, 1};
        },
        tally);
    p.start();
    p.join();
    CHECK(tally.get(0) == 0);
    CHECK(tally.get(1) == 0);
}

TEST_CASE("what a child printed is there when it has ended, once and in order", "[ending]") {
    const auto printed = support::output_of("print_in_children");
    CHECK(printed.exitcode == 0);
    CHECK(printed.out == "parent before\nC stream of child\nC++ stream of child\nparent after\n");
}

TEST_CASE("an uncaught exception is printed whole, with process, type, text and what is nested", "[ending]") {
    const auto printed = support::output_of("uncaught");
    CHECK(printed.exitcode == 0);
    CHECK_THAT(printed.err, ContainsSubstring("Process thrower (pid "));
    CHECK_THAT(
        printed.err,
        ContainsSubstring("  std::invalid_argument: outer text\n  inside: std::runtime_error: inner text\n"));
    CHECK_THAT(printed.err, ContainsSubstring("Process number (pid "));
    CHECK_THAT(printed.err, ContainsSubstring("  int\n"));
    CHECK_THAT(printed.err, ContainsSubstring("std::string: plain text"));
}

TEST_CASE("at the end of the program daemons are ended and other children joined", "[ending]") {
    const auto printed = support::output_of("leave_children");
    CHECK(printed.exitcode == 0);
    CHECK(printed.out == "main ends\nchild ends\n");
}

TEST_CASE("daemons that do not hear end together, a second after the program", "[ending]") {
    if (!mp::detail::platform::can_fork) return;
    const auto time_to_end = [](const std::string& count) {
        const auto output = support::output_of("leave_deaf_children", {count});
        REQUIRE(output.exitcode == 0);
        return std::chrono::steady_clock::now().time_since_epoch() -
               std::chrono::nanoseconds{std::stoll(output.out)};
    };
    const auto one = time_to_end("1");
    CHECK(time_to_end("8") < one + 5s); // one after the other it would be seven seconds more
}

TEST_CASE("standard streams that are closed stay closed, and do no harm", "[ending]") {
    if (!mp::detail::platform::can_fork) return;
    CHECK(support::output_of("closed_streams").exitcode == 0);
}
