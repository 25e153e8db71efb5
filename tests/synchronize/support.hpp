#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file support.hpp  Several processes, or a thread, that do one piece of work.

#include <support/processes.hpp>

#include <multiprocessing/process.hpp>

#include <thread>
#include <vector>

namespace process {

/// `count` processes that run `work(arguments...)`.
template <class Work, class... Argument>
std::vector<mp::Process> started(int count, Work work, const Argument&... arguments) {
    std::vector<mp::Process> processes;
    for (int i = 0; i < count; ++i) processes.emplace_back(work, arguments...);
    for (auto& process : processes) process.start();
    return processes;
}

/// The same, and waits for them.
template <class Work, class... Argument>
void run_all(int count, Work work, const Argument&... arguments) {
    auto processes = started(count, work, arguments...);
    for (auto& process : processes) {
        process.join();
        CHECK(process.exitcode() == 0);
    }
}

/// Runs `work` in a thread of its own.
template <class Work>
void elsewhere(Work work) {
    std::thread(work).join();
}

} // namespace process
