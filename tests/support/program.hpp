#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file program.hpp  Runs a scenario that needs a program of its own, and collects what it prints.

#include <string>
#include <vector>

namespace support {

struct Output {
    int exitcode = -1;
    std::string out;
    std::string err;
};

/// Runs the program of scenarios (tests/support/scenarios.cpp) with the current start method; kills it after a minute.
/// `before` is for the shell: "ulimit -v 1000;".
Output output_of(const std::string& scenario, const std::vector<std::string>& arguments = {},
                 const std::string& before = {});

/// Ends a process as the system or a person would, around the library.
void kill_process(int pid);

} // namespace support
