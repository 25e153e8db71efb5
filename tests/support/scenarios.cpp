// SPDX-License-Identifier: BSL-1.0
/// @file scenarios.cpp  Programs within a program: what a test can only see from outside.
///
///   test_scenarios START_METHOD SCENARIO [ARGUMENT...]

#include <support/eventually.hpp>
#include <support/tally.hpp>

#include <multiprocessing/detail/code/code_address.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/shared_memory.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/synchronize.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

int say(int i) {
    if (i % 2) {
        std::cout << "line " << i << '\n';
    } else {
        std::printf("line %d\n", i);
    }
    return i;
}

/// Prints while its pool's thread replaces workers.
int print_beside_starts(const Arguments&) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
    for (int i = 0; i < 150; ++i) {
        auto result = pool.apply_async([](int x) { return x; }, i);
        for (int k = 0; k < 20; ++k) {
            std::printf("line %d.%d\n", i, k);
            std::this_thread::sleep_for(std::chrono::microseconds{20});
        }
        result.get();
    }
    return 0;
}

/// A destructor of the program that asks a pool for more, when the pools have been terminated.
struct AsksAtTheEnd {
    mp::Pool* pool = nullptr;
    ~AsksAtTheEnd() {
        if (!pool) return;
        try {
            pool->apply([](int x) { return x; }, 1);
        } catch (const std::runtime_error& error) { std::printf("refused: %s\n", error.what()); }
    }
};

int submits_at_the_end(const Arguments&) {
    static AsksAtTheEnd asks;
    asks.pool = new mp::Pool(1);
    return asks.pool->apply([](int x) { return x; }, 0);
}

/// What workers print, whose pool ends in one way or another: all lines but those of tasks that did not finish.
int print_in_pool(const Arguments& arguments) {
    const std::string& way = arguments.at(0);
    std::optional<mp::Pool> pool;
    if (way == "maxtasksperchild") {
        pool.emplace(mp::PoolOptions{.processes = 2, .maxtasksperchild = 10});
    } else if (way == "own buffer") {
        pool.emplace(2, [] { std::ios::sync_with_stdio(false); });
    } else if (way == "idle") {
        pool.emplace(2, [] { mp::at_child_exit([] { std::printf("a worker leaves\n"); }); });
    } else {
        pool.emplace(2);
    }
    for (int i = 0; i < 100; ++i) pool->apply(say, i);
    std::vector<int> more(100);
    for (int i = 0; i < 100; ++i) more[static_cast<std::size_t>(i)] = 100 + i;
    pool->map(say, more);
    if (way == "idle") { // both serve
        const mp::Barrier both{2};
        const auto meet = [](mp::Barrier barrier) { barrier.wait(); };
        auto first = pool->apply_async(meet, both);
        auto second = pool->apply_async(meet, both);
        first.get();
        second.get();
    }
    if (way == "crash") {
        for (int i = 0; i < 2; ++i) {
            try {
                pool->apply([] { std::abort(); });
            } catch (const mp::WorkerLostError&) {}
        }
    }
    if (way == "busy") {
        auto sleeper = pool->apply_async([] { std::this_thread::sleep_for(1h); });
        sleeper.wait(200ms);
    }
    if (way == "terminate") pool->terminate();
    if (way == "end of program") {
        new mp::Pool(std::move(*pool));
        return 0;
    }
    return 0;
}

/// The method that a child knows, by number.
void tell_method() { std::exit(static_cast<int>(mp::get_start_method())); }

/// Starting through a context, or by a method of its own, leaves the program free to choose.
int context_fixes_nothing(const Arguments&) {
    for (const auto method : mp::get_all_start_methods()) {
        mp::Process p({.start_method = method}, tell_method);
        p.start();
        p.join();
        if (p.exitcode() != static_cast<int>(method)) return 1;
        mp::Pool pool({.processes = 1, .start_method = method});
        if (pool.apply([] { return mp::get_start_method(); }) != method) return 2;
    }
    mp::set_start_method(mp::StartMethod::spawn); // throws if something has chosen
    return 0;
}

int start_method_by_variable(const Arguments& arguments) {
    set_variable("MULTIPROCESSING_START_METHOD", arguments.at(0).c_str());
    try {
        std::printf("%s\n", std::string(to_string(mp::get_start_method())).c_str());
    } catch (const std::invalid_argument& error) { std::printf("%s\n", error.what()); }
    return 0;
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
    const mp::Event said;
    static mp::Process* const child = new mp::Process(
        [](mp::Event main_ends) {
            main_ends.wait();
            std::this_thread::sleep_for(100ms);
            std::printf("child ends\n");
        },
        said);
    daemon->start();
    child->start();
    std::printf("main ends\n");
    std::fflush(stdout);
    said.set();
    return 0;
}

#if !defined(_WIN32)
/// Prints when it ends, by the steady clock.
int leave_deaf_children(const Arguments& arguments) {
    const int count = std::atoi(arguments.at(0).c_str());
    const support::Tally tally;
    static auto& left = *new std::vector<mp::Process*>; // their destructors never run
    for (int i = 0; i < count; ++i) {
        left.push_back(new mp::Process(
            {.daemon = true},
            [](support::Tally t) {
                std::signal(SIGTERM, SIG_IGN);
                t.add(0, 1);
                std::this_thread::sleep_for(1h);
            },
            tally));
        left.back()->start();
    }
    tally.wait_for(0, count);
    const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
    std::printf("%lld\n", static_cast<long long>(now.count()));
    return 0;
}
#endif

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

/// The end of the program finds an executor that lives and has work. ARGUMENT: where it is.
int leaves_executor(const Arguments& arguments) {
    const std::string& how = arguments.at(0);
    const auto submit = [](mp::futures::ProcessPoolExecutor& executor) {
        for (int i = 0; i < 20; ++i) {
            auto future = executor.submit(
                [](int x) {
                    std::this_thread::sleep_for(2ms);
                    std::printf("call %d\n", x);
                    return x;
                },
                i);
            if (i == 10) future.add_done_callback([](auto) { std::printf("back from a callback\n"); });
        }
    };
    if (how == "static") {
        static mp::futures::ProcessPoolExecutor executor(2);
        submit(executor);
    } else if (how == "leaked" || how == "exit") {
        static auto* const executor =
            new mp::futures::ProcessPoolExecutor(2); // static: LeakSanitizer is to find it
        submit(*executor);
        if (how == "exit") std::exit(0);
    } else {
        mp::futures::ProcessPoolExecutor executor(2);
        submit(executor);
    }
    return 0;
}

/// All that reusable_executor() promises; the number of what is wrong, 0 if nothing.
int reuses_executor(const Arguments&) {
    namespace futures = mp::futures;
    const auto square = [](int x) { return x * x; };
    futures::ProcessPoolExecutor& two = futures::reusable_executor({.max_workers = 2});
    if (two.submit(square, 3).result() != 9) return 1;
    if (&futures::reusable_executor() != &two) return 2;
    if (&futures::reusable_executor({.max_workers = 2}) != &two) return 3;
    const auto unread = two.submit(square, 4);
    futures::ProcessPoolExecutor& three = futures::reusable_executor({.max_workers = 3});
    if (&three == &two) return 4;
    if (unread.result() != 16) return 5; // what the one before had to do it finishes
    try {
        two.submit(square, 1);
        return 6;
    } catch (const std::runtime_error&) {}
    if (three.submit(square, 5).result() != 25) return 7;
    three.shutdown();
    futures::ProcessPoolExecutor& again = futures::reusable_executor();
    if (&again == &three) return 8;
    return again.submit(square, 6).result() == 36 ? 0 : 9;
}

/// A destructor of the program that submits to an executor, when executors have been finished.
struct SubmitsAtTheEnd {
    mp::futures::ProcessPoolExecutor* executor = nullptr;
    ~SubmitsAtTheEnd() {
        if (!executor) return;
        try {
            executor->submit([](int x) { return x; }, 1);
        } catch (const std::runtime_error& error) { std::printf("refused: %s\n", error.what()); }
    }
};

int submits_to_executor_at_the_end(const Arguments&) {
    static SubmitsAtTheEnd submits;
    submits.executor = new mp::futures::ProcessPoolExecutor(1);
    return submits.executor->submit([](int x) { return x; }, 0).result();
}

#if !defined(_WIN32)
/// ARGUMENT: how many descriptors the program may have from some time on, less than it has.
int lowers_limit(const Arguments& arguments) {
    mp::get_logger().add_sink([](mp::LogLevel, std::string_view) {}); // a worker cannot be started
    mp::Pool pool(10);
    const auto same = [](int x) { return x; };
    if (pool.map(same, {1, 2, 3}) != std::vector{1, 2, 3}) return 1;
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit lowered = before;
    lowered.rlim_cur = std::stoul(arguments.at(0));
    ::setrlimit(RLIMIT_NOFILE, &lowered);
    if (pool.map(same, {1, 2, 3}) != std::vector{1, 2, 3}) return 2;
    try {
        pool.apply([] { ::_exit(3); });
        return 3;
    } catch (const mp::WorkerLostError&) {}
    if (pool.map(same, {1, 2, 3}) != std::vector{1, 2, 3}) return 4;
    ::setrlimit(RLIMIT_NOFILE, &before);
    if (!support::comes_to_have_children(10)) return 5;
    ::setrlimit(RLIMIT_NOFILE, &lowered);
    pool.close();
    pool.join();
    return 0;
}

/// Workers that are another user's by the time that they are to end: one of them at work, one idle.
int may_not_signal(const Arguments&) {
    auto pool = std::make_optional<mp::Pool>(2);
    const mp::Barrier both{2};
    const auto meet = [](mp::Barrier barrier) { return barrier.wait(), static_cast<int>(::getpid()); };
    auto first = pool->apply_async(meet, both); // so both have started
    const int idle = pool->apply(meet, both);
    first.get();
    const mp::Event begun;
    auto busy = pool->apply_async(
        [](mp::Event begins) {
            begins.set();
            std::this_thread::sleep_for(1h);
        },
        begun);
    begun.wait();
    if (::setresuid(65534, 65534, 0) != 0) return 1;
    pool->terminate();
    pool->join();
    pool.reset();
    try {
        busy.get();
        return 2;
    } catch (const mp::CancelledError&) {}
    if (::setresuid(0, 0, 0) != 0) return 3;
    const auto left = mp::active_children();
    if (left.size() > 1) return 4;
    for (const auto& child : left) ::kill(child.pid(), SIGKILL);
    return idle > 0 ? 0 : 5;
}

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
        const int janitor = mp::detail::this_process().janitor.load();
        ::kill(janitor, SIGKILL);
        siginfo_t ended;
        ::waitid(P_PID, static_cast<id_t>(janitor), &ended, WEXITED | WNOWAIT);
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

#if !defined(_WIN32)
/// A thread forks all the time; another one asks where a function lies, which nobody has before. So do the copies.
int looks_up_beside_forks(const Arguments&) {
    const auto look = [] { mp::detail::code_address_of(reinterpret_cast<const void*>(&named_memory)); };
    mp::detail::process_wide<mp::detail::Images>(); // the handlers of fork are there
    std::atomic<bool> begun{false};
    std::atomic<bool> over{false};
    int hung = 0;
    std::thread forks([&] {
        for (int i = 0; hung == 0 && (!over || i < 4); ++i) {
            const pid_t copy = ::fork();
            if (copy == 0) {
                ::alarm(10);
                look();
                ::_exit(0);
            }
            int status = 0;
            while (::waitpid(copy, &status, 0) < 0) {}
            hung += WIFSIGNALED(status);
            begun = true;
        }
    });
    while (!begun) std::this_thread::yield();
    const auto now = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - now < std::chrono::microseconds{::getpid() % 200}) {}
    look();
    over = true;
    forks.join();
    return hung ? 3 : 0;
}
#endif

int plus_one(int x) { return x + 1; }

/// A bit of everything that takes processes.
int work_of_all_kinds(const Arguments&) {
    mp::Queue<int> queue;
    mp::Process putter([](mp::Queue<int> q) { q.put(7); }, queue);
    putter.start();
    if (queue.get(60s) != 7 || !putter.join(60s) || putter.exitcode() != 0) return 1;
    mp::Process sleeper([] { std::this_thread::sleep_for(1h); });
    sleeper.start();
    sleeper.kill();
    if (!sleeper.join(60s)) return 2;
    mp::Pool pool(2);
    if (pool.map(plus_one, std::vector<int>{1, 2, 3}) != std::vector<int>{2, 3, 4}) return 3;
    return 0;
}

#if !defined(_WIN32)
/// What the system says that this process runs, and what the library says.
std::vector<std::string> programs() {
    return {std::filesystem::read_symlink("/proc/self/exe").string(),
            mp::detail::platform::program_path().string()};
}

/// Its dynamic linker was told to run this program: so are its children, which find its functions.
int run_by_linker(const Arguments& arguments) {
    const std::vector<std::string> expected{std::filesystem::canonical(arguments.at(0)).string(),
                                            std::filesystem::canonical(arguments.at(1)).string()};
    if (programs() != expected) return 10;
    mp::Queue<std::vector<std::string>> queue;
    mp::Process child([](mp::Queue<std::vector<std::string>> q) { q.put(programs()); }, queue);
    child.start();
    const auto told = queue.get(60s);
    if (!child.join(60s) || child.exitcode() != 0) return 11;
    if (told != expected) return 12;
    return work_of_all_kinds({});
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
    scenarios["print_in_pool"] = print_in_pool;
    scenarios["print_beside_starts"] = print_beside_starts;
    scenarios["submits_at_the_end"] = submits_at_the_end;
    scenarios["context_fixes_nothing"] = context_fixes_nothing;
    scenarios["start_method_by_variable"] = start_method_by_variable;
    scenarios["uncaught"] = uncaught;
    scenarios["leave_children"] = leave_children;
    scenarios["no_freeze_support"] = no_freeze_support;
    scenarios["ends_early"] = ends_early;
    scenarios["other_build"] = other_build;
    scenarios["count_in_child"] = count_in_child;
    scenarios["leaves_pool_running"] = leaves_pool_running;
    scenarios["leaks_pool"] = leaks_pool;
    scenarios["leaves_executor"] = leaves_executor;
    scenarios["reuses_executor"] = reuses_executor;
    scenarios["submits_to_executor_at_the_end"] = submits_to_executor_at_the_end;
    scenarios["as_if_child"] = as_if_child;
    scenarios["work_of_all_kinds"] = work_of_all_kinds;
#if !defined(_WIN32)
    scenarios["closed_streams"] = closed_streams;
    scenarios["lowers_limit"] = lowers_limit;
    scenarios["may_not_signal"] = may_not_signal;
    scenarios["leave_deaf_children"] = leave_deaf_children;
    scenarios["named_memory"] = named_memory;
    scenarios["run_by_linker"] = run_by_linker;
    scenarios["looks_up_beside_forks"] = looks_up_beside_forks;
#endif
    if (argc < 3 || scenarios.find(argv[2]) == scenarios.end()) {
        std::fprintf(stderr, "test_scenarios: no such scenario\n");
        return 2;
    }
    const bool chooses =
        argv[2] == std::string("context_fixes_nothing") || argv[2] == std::string("start_method_by_variable");
    if (const auto method = mp::start_method_from(argv[1]); method && !chooses) mp::set_start_method(*method);
    try {
        return scenarios.find(argv[2])->second(Arguments(argv + 3, argv + argc));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[2], error.what());
        return 99;
    }
}
