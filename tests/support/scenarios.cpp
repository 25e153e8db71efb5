// SPDX-License-Identifier: BSL-1.0
/// @file scenarios.cpp  Programs within a program: what a test can only see from outside.
///
///   test_scenarios START_METHOD SCENARIO [ARGUMENT...]

#include <support/tally.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/shared_memory.hpp>
#include <multiprocessing/spawn.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#include <fcntl.h>
#include <unistd.h>
#endif

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using Arguments = std::vector<std::string>;

namespace {

void set_variable(const char* name, const char* value) {
#if defined(_WIN32)
    _putenv_s(name, value);
#else
    ::setenv(name, value, 1);
#endif
}

int print_in_children(const Arguments&) {
    std::printf("parent before\n"); // stays in the buffer: stdout is a file
    mp::Process p([] {
        std::printf("C stream of child\n");
        std::cout << "C++ stream of child\n";
    });
    p.start();
    p.join();
    std::printf("parent after\n");
    return p.exitcode().value();
}

int uncaught(const Arguments&) {
    mp::Process thrower({.name = "thrower"}, [] {
        try {
            throw std::runtime_error("inner text");
        } catch (...) { std::throw_with_nested(std::invalid_argument("outer text")); }
    });
    mp::Process number({.name = "number"}, [] { throw 7; });
    mp::Process text({.name = "text"}, [] { throw std::string("plain text"); });
    for (mp::Process* p : {&thrower, &number, &text}) {
        p->start();
        p->join();
        if (p->exitcode() != 1) return 1;
    }
    return 0;
}

int leave_children(const Arguments&) {
    static mp::Process* const daemon =
        new mp::Process({.daemon = true}, [] { std::this_thread::sleep_for(1h); });
    static mp::Process* const child = new mp::Process([] {
        std::this_thread::sleep_for(100ms);
        std::printf("child ends\n");
    });
    daemon->start();
    child->start();
    std::printf("main ends\n");
    std::fflush(stdout);
    return 0;
}

void do_nothing() {}

/// main() leaves freeze_support() out when told "late".
int no_freeze_support(const Arguments&) {
    try {
        mp::Process p(do_nothing);
        p.start();
        p.join();
        return p.exitcode().value();
    } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

/// main() ends the children of this one before they reach freeze_support().
int ends_early(const Arguments&) {
    const auto method = mp::get_start_method();
    mp::Process p({.start_method = method == mp::StartMethod::forkserver ? mp::StartMethod::spawn : method},
                  do_nothing);
    set_variable("MP_TEST_END_EARLY", "1");
    p.start();
    p.join();
    std::printf("exit code %d\n", p.exitcode().value());
    if (method != mp::StartMethod::forkserver) return 0;
    // The server itself ends early.
    try {
        mp::Process q(do_nothing);
        q.start();
        return 1;
    } catch (const mp::ProcessError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 0;
    }
}

int other_build(const Arguments& arguments) {
    mp::set_executable(arguments.at(0));
    try {
        mp::Process p(do_nothing);
        p.start();
        p.join();
        return p.exitcode() == 1 ? 0 : 1;
    } catch (const mp::ProcessError& error) { // of the server, which start() waits for
        std::fprintf(stderr, "%s\n", error.what());
        return 0;
    }
}

int count_in_child(const Arguments&) {
    support::Tally tally;
    mp::Process p([](support::Tally t) { t.add(0, 1); }, tally);
    p.start();
    p.join();
    return tally.get(0) == 1 ? 0 : 1;
}

#if !defined(_WIN32)
int closed_streams(const Arguments&) {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    mp::Process p([] {
        char byte;
        if (::read(STDIN_FILENO, &byte, 1) != 0) std::exit(10);   // the null device
        if (::fcntl(STDOUT_FILENO, F_GETFD) != -1) std::exit(11); // closed, as in the parent
        if (::write(STDERR_FILENO, "", 0) != 0) std::exit(12);    // open, as in the parent
        mp::Process q([] {});
        q.start();
        q.join();
        if (q.exitcode() != 0) std::exit(13);
    });
    p.start();
    p.join();
    if (::fcntl(STDOUT_FILENO, F_GETFD) != -1) return 14; // no descriptor of ours took its place
    return p.exitcode().value_or(15);
}
#endif

/// The end of main() finds a pool with work.
int leaves_pool_running(const Arguments&) {
    static mp::Pool pool(2);
    pool.apply_async([] { std::this_thread::sleep_for(1h); });
    return pool.apply([] { return 0; });
}

/// The end of the program finds a pool that nobody destroys.
int leaks_pool(const Arguments&) {
    static auto* const pool = new mp::Pool(2); // static: LeakSanitizer is to find it
    pool->apply_async([] { std::this_thread::sleep_for(1h); });
    return pool->apply([] { return 0; });
}

#if !defined(_WIN32)
using mp::shared_memory::SharedMemory;

void make_name(const std::string& name, const std::string& ending) {
    const SharedMemory shm({.name = name, .create = true, .size = 4096});
    if (ending == "killed") ::kill(::getpid(), SIGKILL);
    if (ending == "exits") std::exit(0);
}

/// ARGUMENTS: how the program ends; "waits" (until somebody has written into its memory), "unlinks" that, or "leaves" it;
/// the name of that; then pairs of a name and how the child that makes it ends.
int named_memory(const Arguments& arguments) {
    const std::string ending = arguments.at(0);
    if (arguments.at(1) == "loses its janitor") {
        SharedMemory({.create = true, .size = 1}).unlink(); // starts it
        ::kill(mp::detail::process_wide<mp::detail::Launching>().janitor, SIGKILL);
    }
    const SharedMemory own({.name = arguments.at(2), .create = true, .size = 4096});
    for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
        mp::Process p(make_name, arguments[i], arguments[i + 1]);
        p.start();
        p.join();
    }
    if (arguments.at(1) == "unlinks") own.unlink();
    const std::atomic_ref<int> word(own.as<int>()[0]);
    while (arguments.at(1) == "waits" && word.load() == 0) std::this_thread::sleep_for(1ms);
    if (ending == "killed") ::kill(::getpid(), SIGKILL);
    if (ending == "aborts") std::abort();
    if (ending == "_exit") ::_exit(0);
    return 0;
}
#endif

int as_if_child(const Arguments&) {
    const std::string self = mp::detail::platform::program_path().string();
    const int status = std::system((self + " --multiprocessing-child 77 - 4096 - 78").c_str());
    return status == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    if (std::getenv("MP_TEST_END_EARLY")) return 9;
    if (argc < 4 || argv[3] != std::string("late")) mp::freeze_support();
    std::map<std::string, int (*)(const Arguments&)> scenarios;
    scenarios["print_in_children"] = print_in_children;
    scenarios["uncaught"] = uncaught;
    scenarios["leave_children"] = leave_children;
    scenarios["no_freeze_support"] = no_freeze_support;
    scenarios["ends_early"] = ends_early;
    scenarios["other_build"] = other_build;
    scenarios["count_in_child"] = count_in_child;
    scenarios["leaves_pool_running"] = leaves_pool_running;
    scenarios["leaks_pool"] = leaks_pool;
    scenarios["as_if_child"] = as_if_child;
#if !defined(_WIN32)
    scenarios["closed_streams"] = closed_streams;
    scenarios["named_memory"] = named_memory;
#endif
    if (argc < 3 || scenarios.find(argv[2]) == scenarios.end()) {
        std::fprintf(stderr, "test_scenarios: no such scenario\n");
        return 2;
    }
    for (const auto method : mp::get_all_start_methods()) {
        if (argv[1] == to_string(method)) mp::set_start_method(method);
    }
    try {
        return scenarios.find(argv[2])->second(Arguments(argv + 3, argv + argc));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[2], error.what());
        return 99;
    }
}
