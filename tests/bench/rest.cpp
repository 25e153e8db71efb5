// SPDX-License-Identifier: BSL-1.0
// What a pool costs while it does nothing, and what it keeps of what it did.

#include "bench.hpp"

#include <multiprocessing/pool.hpp>
#include <multiprocessing/spawn.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

namespace {

/// CPU time of a process so far, in seconds; 0: of this one.
double cpu_time(int pid) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Of this process, whose supervisor it is, and of all workers.
double cpu_time_of_pool() {
    double time = cpu_time(0);
    for (const auto& child : mp::active_children()) time += cpu_time(child.pid());
    return time;
}

double resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    long all = 0;
    long pages = 0;
    if (!file || std::fscanf(file, "%ld %ld", &all, &pages) != 2) pages = 0;
    if (file) std::fclose(file);
    return static_cast<double>(pages) * 4096;
}

char next(char x) { return static_cast<char>(x + 1); }

void idle() {
    mp::Pool pool{2};
    pool.apply(next, 'a');
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    bench::compare(
        "CPU time of an idle pool of 2 / the time that passes", 0.001,
        [] {
            const double before = cpu_time_of_pool();
            std::this_thread::sleep_for(std::chrono::seconds{1});
            return cpu_time_of_pool() - before;
        },
        [] { return 1.0; }, 5, std::chrono::seconds{0});
}

void memory() {
    mp::Pool pool{2};
    const std::vector<char> bytes(10'000'000, 'a');
    const auto maps = [&](int count) {
        for (int i = 0; i < count; ++i) bench::keep(pool.map(next, bytes));
    };
    maps(10);
    const double early = resident_bytes();
    maps(990);
    bench::row("memory of the parent after 1,000 maps of 10 MB / after 10", resident_bytes(), early, 1.05,
               bench::Unit::bytes);
}

} // namespace

int main() {
    mp::freeze_support();
    idle();
    memory();
}
