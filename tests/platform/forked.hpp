#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file forked.hpp  Runs a part of a test in a forked child, where the platform can fork.

#include <platform/support.hpp>

#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#if !defined(_WIN32)
namespace contracts {

/// Runs `work` in a forked child and returns its exit code.
template <class Work>
int exit_code_of_fork(Work work) {
    platform::flush_standard_streams();
    const int pid = platform::fork_process();
    if (pid == 0) platform::exit_now(work());
    platform::Child child{pid};
    return end_of(child).exitcode.value();
}

} // namespace contracts
#endif
