#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file support.hpp  What the tests of managers share.

#include <support/processes.hpp>

#include <multiprocessing/managers.hpp>

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace process {

/// `count` processes that run `function(arguments...)`.
template <class Function, class... Arguments>
std::vector<mp::Process> started_clients(int count, Function function, const Arguments&... arguments) {
    std::vector<mp::Process> clients;
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(function, arguments...);
        clients.back().start();
    }
    return clients;
}

/// Waits until `condition()` holds: for what a server notices by itself.
template <class Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

} // namespace process
