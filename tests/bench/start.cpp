// SPDX-License-Identifier: BSL-1.0
// What it costs to start a process and to wait for its end, by each start method.

#include "bench.hpp"
#include "python.hpp"

#include <multiprocessing/process.hpp>
#include <multiprocessing/spawn.hpp>

#include <cstring>
#include <memory>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mp = multiprocessing;

namespace {

void nothing() {}

void start_and_join(mp::StartMethod method) {
    mp::Process process({.start_method = method}, nothing);
    process.start();
    process.join();
}

void raw_fork() {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    ::waitpid(pid, nullptr, 0);
}

/// The same program, with the same libraries and static initialisers, which leaves first thing in main().
void raw_spawn() {
    char program[] = "/proc/self/exe";
    char leave[] = "--leave-at-once";
    char* const arguments[]{program, leave, nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, program, nullptr, nullptr, arguments, environ) == 0) ::waitpid(pid, nullptr, 0);
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--leave-at-once") == 0) ::_exit(0);
    mp::freeze_support();

    bench::Python python;
    const auto ours = [](mp::StartMethod method) { return [method] { start_and_join(method); }; };
    const auto pythons = [&](const char* method) { return [&python, method] { return python.round(method); }; };

    bench::compare("start and join by fork / raw fork, _exit, waitpid", 1.25, ours(mp::StartMethod::fork),
                   raw_fork);
    bench::compare("by spawn / posix_spawn of the same program", 1.15, ours(mp::StartMethod::spawn), raw_spawn);
    bench::compare("by forkserver / raw fork, small parent", 1.4, ours(mp::StartMethod::forkserver), raw_fork);

    if (python.available()) {
        bench::compare("by fork / CPython's", 1.0 / 6, ours(mp::StartMethod::fork), pythons("fork"));
        bench::compare("by spawn / CPython's", 1.0 / 15, ours(mp::StartMethod::spawn), pythons("spawn"));
        bench::compare("by forkserver / CPython's", 1.0 / 15, ours(mp::StartMethod::forkserver),
                       pythons("forkserver"));
    } else {
        bench::skipped("start and join / CPython's", "no python3");
    }

    constexpr std::size_t size = std::size_t{1} << 30;
    const std::unique_ptr<char[]> large(new char[size]);
    std::memset(large.get(), 1, size);
    bench::keep(large[0]);
    bench::compare("by forkserver / by fork, 1 GiB touched in the parent", 0.01,
                   ours(mp::StartMethod::forkserver), ours(mp::StartMethod::fork), 10);
}
