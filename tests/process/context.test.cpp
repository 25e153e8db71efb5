// SPDX-License-Identifier: BSL-1.0
// Includes all of the library at once, for a user's first line to be tried.
#include <multiprocessing/multiprocessing.hpp>

#include <support/processes.hpp>
#include <support/program.hpp>

#include <optional>

using namespace process;

namespace {

bool set_by_parent = false; // seen by a copy of the parent only
bool set_by_server = false; // seen by a copy of the server only

mp::StartMethod how_it_came_to_be() {
    if (set_by_parent) return mp::StartMethod::fork;
    return set_by_server ? mp::StartMethod::forkserver : mp::StartMethod::spawn;
}
void expect_start_method(mp::StartMethod method) {
    std::exit(how_it_came_to_be() == method && mp::get_start_method() == method ? 0 : 1);
}
int offset = 0;
void set_offset(int value) { offset = value; }
int plus_offset(int value) { return value + offset; }

/// Runs in a process of its own, which has no fork server yet.
void use_each_context() {
    const auto expect = [](bool truth, int code) {
        if (!truth) std::exit(code);
    };
    const auto chosen = mp::get_start_method();
    set_by_parent = true;
    mp::set_forkserver_preload([] { set_by_server = true; });
    for (const auto method : mp::get_all_start_methods()) {
        const mp::Context context = mp::get_context(method);
        expect(context.get_start_method() == method, 10);
        mp::Process p = context.Process(expect_start_method, method);
        p.start();
        p.join();
        expect(p.exitcode() == 0, 11);
        mp::Process named = context.Process({.name = "named"}, expect_start_method, method);
        expect(named.name() == "named", 12);
        named.start();
        named.join();
        expect(named.exitcode() == 0, 13);
        // What options say goes before what the context says.
        mp::Process other = context.Process({.start_method = chosen}, expect_start_method, chosen);
        other.start();
        other.join();
        expect(other.exitcode() == 0, 14);
        expect(context.Pool(1).apply(how_it_came_to_be) == method, 15);
        expect(context.Pool({.processes = 1}).apply(how_it_came_to_be) == method, 16);
        expect(context.Pool(1, set_offset, 5).apply(how_it_came_to_be) == method, 17);
        expect(context.Pool({.processes = 1}, set_offset, 5).apply(plus_offset, 2) == 7, 18);
        expect(context.Pool().map(plus_offset, {1, 2}) == std::vector{1, 2}, 19);
    }
    expect(mp::get_start_method() == chosen, 20); // a context leaves the default alone
}

} // namespace

TEST_CASE("a context starts by its own method, whatever the program's is", "[context]") {
    mp::Process p(use_each_context);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a start by a method of its own chooses nothing for the program", "[context]") {
    CHECK(support::output_of("context_fixes_nothing").exitcode == 0);
}

TEST_CASE("a variable chooses the start method where the program does not", "[context]") {
    for (const auto method : mp::get_all_start_methods()) {
        const std::string name(to_string(method));
        CHECK_THAT(support::output_of("start_method_by_variable", {name}).out, ContainsSubstring(name));
    }
    const auto wrong = support::output_of("start_method_by_variable", {"frok"});
    CHECK_THAT(wrong.out, ContainsSubstring("MULTIPROCESSING_START_METHOD says 'frok'"));
    CHECK(mp::start_method_from("spawn") == mp::StartMethod::spawn);
    CHECK_FALSE(mp::start_method_from("Spawn"));
}

TEST_CASE("a context without a method is that of the program", "[context]") {
    CHECK(mp::get_context().get_start_method() == mp::get_start_method());
    const auto spawn = mp::get_context(mp::StartMethod::spawn);
    CHECK(spawn.get_context() == spawn);
    CHECK(spawn.get_context(mp::get_start_method()) == mp::get_context());
    mp::Process p([] {
        // Asking for it fixes it, as in Python; the test program's main has not done so in a child by spawn.
        mp::get_context();
        try {
            mp::set_start_method(mp::StartMethod::spawn);
        } catch (const std::runtime_error&) { std::exit(7); }
    });
    p.start();
    p.join();
    CHECK(p.exitcode() == 7);
}

TEST_CASE("a context has the functions of the namespace", "[context]") {
    const auto context = mp::get_context();
    CHECK(context.cpu_count() == mp::cpu_count());
    CHECK(context.process_cpu_count() == mp::process_cpu_count());
    CHECK(context.get_all_start_methods() == mp::get_all_start_methods());
    CHECK(context.current_process().name() == "MainProcess");
    CHECK_FALSE(context.parent_process());
    CHECK(context.active_children().empty());
    CHECK(&context.get_logger() == &mp::get_logger());
    context.freeze_support(); // was called before, and does nothing in the program
}

TEST_CASE("a context of a start method that is not here is refused", "[context]") {
    if (mp::get_all_start_methods().size() > 1) return;
    CHECK_THROWS_AS(mp::get_context(mp::StartMethod::fork), std::invalid_argument);
    CHECK_THROWS_WITH(mp::get_context().get_context(mp::StartMethod::forkserver),
                      ContainsSubstring("get_all_start_methods()"));
}

TEST_CASE("a context makes what processes share", "[context]") {
    const mp::Context context = mp::get_context();
    const auto lock = context.Lock();
    const auto rlock = context.RLock();
    const auto condition = context.Condition();
    const auto by_lock = context.Condition(rlock);
    const auto semaphore = context.Semaphore();
    const auto bounded = context.BoundedSemaphore(2);
    const auto value = context.Value<int>();
    const auto array = context.Array<int>(3);
    { std::scoped_lock guards{lock, rlock, condition, by_lock, semaphore, bounded, value, array}; }
    CHECK_FALSE(context.Event().is_set());
    CHECK(context.Barrier(1).wait() == 0);
    CHECK(context.Value<double>(2.5).value() == 2.5);
    CHECK(context.RawValue<int>(3).value() == 3);
    CHECK(context.Array<int>({1, 2, 3}).copy() == std::vector{1, 2, 3});
    CHECK(context.RawArray<char>(std::string("abc")).size() == 3);
    CHECK(context.Queue<int>(2).maxsize() == 2);
    CHECK(context.JoinableQueue<int>().join());
    CHECK(context.SimpleQueue<int>().empty());
    CHECK(context.RawArray<char>(4).size() == 4);
}
