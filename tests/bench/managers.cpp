// SPDX-License-Identifier: BSL-1.0
// What a call of a managed object costs, against CPython's managers.

#include "bench.hpp"
#include "python.hpp"
#include "transports.hpp"

#include <multiprocessing/managers.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using Dict = mp::managers::DictProxy<std::string, int>;
using Numbers = mp::managers::DictProxy<int, int>;

namespace {

/// All threads of a process on one CPU; negative: on any.
void place_all(int pid, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        if (cpu < 0 || i == cpu) CPU_SET(static_cast<std::size_t>(i), &set);
    }
    for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
        ::sched_setaffinity(std::stoi(thread.path().filename().string()), sizeof set, &set);
}

/// Seconds that a get and a set took, on the average.
double get_and_set(const Dict& d, int times) {
    return bench::seconds([&] {
               for (int i = 0; i < times; ++i) {
                   d["key"] = i;
                   bench::keep(d.at("key"));
               }
           }) /
           times;
}

/// The same after a pause, in which both sides go to sleep.
double get_and_set_blocked(const Dict& d, int times) {
    double all = 0;
    for (int i = 0; i < times; ++i) {
        std::this_thread::sleep_for(1ms);
        all += get_and_set(d, 1);
    }
    return all / times;
}

void calls(bench::Python& python) {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"key", 1}});
    const auto compare = [&](const char* measure, double at_most, auto ours, const char* peer) {
        if (!python.available()) return bench::skipped(measure, "no python3");
        bench::compare(
            measure, at_most, ours, [&] { return python.round(peer); }, 5, 5s);
    };
    compare(
        "managed dict: get and set / CPython, blocked each time", 1.0 / 4,
        [&] { return get_and_set_blocked(d, 100); }, "manager_blocked");
    compare(
        "managed dict: get and set / CPython, hot", 1.0 / 40, [&] { return get_and_set(d, 10'000); },
        "manager_hot");
    if (std::thread::hardware_concurrency() > 1) {
        place_all(*manager.pid(), 1);
        place_all(static_cast<int>(::getpid()), 0);
        compare(
            "managed dict: get and set / CPython, hot, client and server on a CPU each", 1.0 / 60,
            [&] { return get_and_set(d, 10'000); }, "manager_hot");
        place_all(static_cast<int>(::getpid()), -1);
    }
}

void call_often(Dict d, mp::Barrier begin, int times) {
    d.size();
    begin.wait();
    for (int i = 0; i < times; ++i) {
        std::this_thread::sleep_for(200us);
        d["key"] = i;
    }
}

/// Seconds for each call, of all clients together.
double by_clients(const Dict& d, int clients, int times) {
    mp::Barrier begin(clients + 1);
    std::vector<mp::Process> processes;
    for (int i = 0; i < clients; ++i) {
        processes.emplace_back(call_often, d, begin, times);
        processes.back().start();
    }
    begin.wait();
    return bench::seconds([&] {
               for (auto& process : processes) process.join();
           }) /
           (clients * times);
}

void clients() {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>();
    bench::compare(
        "calls of a managed dict with pauses: time of each, 8 clients / 1", 1.0,
        [&] { return by_clients(d, 8, 400); }, [&] { return by_clients(d, 1, 400); }, 5, 1s);
}

void starts() {
    for (const mp::StartMethod method : mp::get_all_start_methods()) {
        const auto name = std::string(mp::to_string(method));
        bench::compare(
            "a manager started and called once / a process started and joined, by " + name, 1.2,
            [&] {
                mp::managers::SyncManager manager({.start_method = method});
                return bench::seconds([&] {
                    manager.start();
                    bench::keep(manager.number_of_objects());
                });
            },
            [&] {
                mp::Process process({.start_method = method}, [] {});
                process.start();
                process.join();
            },
            5, 2s);
    }
}

double resident_bytes(int pid) {
    long size = 0;
    long pages = 0;
    std::ifstream("/proc/" + std::to_string(pid) + "/statm") >> size >> pages;
    return static_cast<double>(pages) * 4096;
}

void memory() {
    auto manager = mp::Manager();
    // A client that holds some of them is killed each time.
    const auto make = [&](int count) {
        mp::Event ready;
        std::vector<Numbers> held;
        for (int i = 0; i < 100; ++i) held.push_back(manager.dict<int, int>({{1, i}}));
        mp::Process client(
            [](mp::managers::ListProxy<Numbers> all, mp::Event e) {
                const auto mine = all.copy();
                e.set();
                std::this_thread::sleep_for(60s);
            },
            manager.list<Numbers>(held), ready);
        client.start();
        ready.wait();
        for (int i = 100; i < count; ++i) bench::keep(manager.dict<int, int>({{1, i}}));
        client.kill();
        client.join();
    };
    for (int i = 0; i < 50; ++i) make(5'000); // what its threads keep for themselves is there by then
    const double early = resident_bytes(*manager.pid());
    for (int i = 0; i < 150; ++i) make(5'000);
    bench::row("memory of the server after 1,000,000 objects were made and dropped / after 250,000",
               resident_bytes(*manager.pid()), early, 1.05, bench::Unit::bytes);
}

} // namespace

int main() {
    mp::freeze_support();
    bench::Python python;
    calls(python);
    clients();
    starts();
    memory();
}
