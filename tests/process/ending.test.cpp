// SPDX-License-Identifier: BSL-1.0
#include <process/support.hpp>

#include <support/program.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>

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

TEST_CASE("standard streams that are closed stay closed, and do no harm", "[ending]") {
    if (!mp::detail::platform::can_fork) return;
    CHECK(support::output_of("closed_streams").exitcode == 0);
}
