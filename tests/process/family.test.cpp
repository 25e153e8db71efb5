// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <algorithm>
#include <set>

using namespace process;

namespace {

/// What a process knows of itself and its parent, told by an exit code: 0 is right, else the first thing that is wrong.
void check_identity(std::string name, int parent_pid, std::string parent_name, bool daemon, std::string key) {
    const auto me = mp::current_process();
    const auto parent = mp::parent_process();
    if (me.name() != name) std::exit(10);
    if (me.pid() != mp::detail::platform::current_pid()) std::exit(11);
    if (me.daemon() != daemon) std::exit(12);
    if (me.authkey() != key) std::exit(13);
    if (!parent) std::exit(14);
    if (parent->pid() != parent_pid) std::exit(15);
    if (parent->name() != parent_name) std::exit(16);
    if (!parent->is_alive()) std::exit(17);
    if (parent->join(1ms)) std::exit(18);
    if (!mp::active_children().empty()) std::exit(19);
}

void wait(Tally tally) {
    tally.add(0, 1);
    tally.wait_for(1, 1);
}

} // namespace

TEST_CASE("the main process has its name and no parent", "[family]") {
    CHECK(mp::current_process().name() == "MainProcess");
    CHECK_FALSE(mp::current_process().daemon());
    CHECK(mp::current_process().authkey().size() == 32);
    CHECK(mp::current_process().authkey() == mp::current_process().authkey());
    CHECK(mp::current_process().is_alive());
    CHECK_THROWS_AS(mp::current_process().join(), std::logic_error);
    CHECK_FALSE(mp::parent_process());
}

TEST_CASE("a child knows its name, rank, key and parent", "[family]") {
    const auto me = mp::current_process();
    mp::Process p({.name = "worker", .daemon = true}, check_identity, "worker", me.pid(), "MainProcess", true,
                  me.authkey());
    CHECK(p.name() == "worker");
    CHECK(p.daemon());
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);

    mp::Process other(check_identity, "renamed", me.pid(), "MainProcess", false, "secret");
    other.set_name("renamed");
    other.set_authkey("secret");
    other.start();
    other.join();
    CHECK(other.exitcode() == 0);
}

TEST_CASE("default names count, by parent", "[family]") {
    mp::Process a([] {});
    mp::Process b([] {});
    CHECK_THAT(a.name(), StartsWith("Process-"));
    CHECK(std::stoi(b.name().substr(8)) == std::stoi(a.name().substr(8)) + 1);
    mp::Process parent([] {
        mp::Process child(
            [](std::string expected) { std::exit(mp::current_process().name() == expected ? 0 : 2); },
            mp::current_process().name() + ":1");
        child.start();
        child.join();
        if (child.exitcode() != 0) std::exit(1);
    });
    parent.start();
    parent.join();
    CHECK(parent.exitcode() == 0);
}

TEST_CASE("active children are those that run", "[family]") {
    CHECK(mp::active_children().empty());
    Tally tally;
    mp::Process p({.name = "first"}, wait, tally);
    mp::Process q({.name = "second"}, wait, tally);
    p.start();
    q.start();
    tally.wait_for(0, 2);
    auto children = mp::active_children();
    std::set<std::string> names;
    for (const auto& child : children) {
        names.insert(child.name());
        CHECK(child.is_alive());
        CHECK_FALSE(child.join(0s));
    }
    CHECK(names == std::set<std::string>{"first", "second"});
    CHECK(std::any_of(children.begin(), children.end(),
                      [&](const auto& child) { return child.pid() == p.pid(); }));
    tally.set(1, 1);
    for (const auto& child : children) CHECK(child.join());
    CHECK(mp::active_children().empty());
    CHECK_FALSE(children[0].is_alive());
}

TEST_CASE("a daemon's children are daemons unless said otherwise, and may have children", "[family]") {
    Tally tally;
    mp::Process p(
        {.daemon = true},
        [](Tally t) {
            mp::Process child([](Tally inner) { inner.add(mp::current_process().daemon() ? 0 : 1, 1); }, t);
            child.start();
            child.join();
            mp::Process other(
                {.daemon = false}, [](Tally inner) { inner.add(mp::current_process().daemon() ? 2 : 3, 1); },
                t);
            other.start();
            other.join();
        },
        tally);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(tally.get(0) == 1);
    CHECK(tally.get(3) == 1);
}

TEST_CASE("a child joins its own children before it ends, and ends its daemons", "[family]") {
    Tally tally;
    mp::Process p(
        [](Tally t) {
            static std::vector<mp::Process> kept; // static: no destructor of theirs is run
            kept.emplace_back([](Tally inner) { std::this_thread::sleep_for(30ms), inner.add(0, 1); }, t);
            kept.emplace_back(
                mp::ProcessOptions{.daemon = true},
                [](Tally inner) {
                    inner.add(1, 1);
                    for (;;) std::this_thread::sleep_for(1s);
                },
                t);
            for (auto& process : kept) process.start();
            t.wait_for(1, 1);
        },
        tally);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(tally.get(0) == 1);
}

TEST_CASE("processor counts are sensible", "[family]") {
    CHECK(mp::cpu_count() >= 1);
    CHECK(mp::process_cpu_count() >= 1);
    CHECK(mp::process_cpu_count() <= mp::cpu_count());
}

TEST_CASE("a Process that a child has inherited or got at is not the child's", "[family]") {
    if (mp::get_start_method() != mp::StartMethod::fork) return; // only a copy has it at all
    Tally tally;
    static mp::Process* const other = new mp::Process(wait, tally);
    other->start();
    tally.wait_for(0, 1);
    mp::Process p([] {
        try {
            other->join();
        } catch (const std::logic_error&) { return; }
        std::exit(1);
    });
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    tally.set(1, 1);
    other->join();
    delete other;
}

TEST_CASE("a view of a child ends it and knows how it ended", "[family]") {
    for (const bool kill : {false, true}) {
        Tally tally;
        mp::Process p(wait, tally);
        p.start();
        tally.wait_for(0, 1);
        const auto children = mp::active_children();
        REQUIRE(children.size() == 1);
        CHECK_FALSE(children[0].exitcode());
        kill ? children[0].kill() : children[0].terminate();
        CHECK(children[0].join(60s));
        CHECK(children[0].exitcode() == p.exitcode());
        CHECK(p.exitcode() != 0);
    }
    CHECK_THROWS_AS(mp::current_process().terminate(), std::logic_error);
    CHECK_THROWS_AS(mp::current_process().kill(), std::logic_error);
    CHECK_FALSE(mp::current_process().exitcode());
}
