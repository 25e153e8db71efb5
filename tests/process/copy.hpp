#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file copy.hpp  Runs a part of a test in a process that may change what it is.

#if !defined(_WIN32)
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#include <cstdio>
#include <exception>

#include <sys/wait.h>
#include <unistd.h>

namespace process {

/// Runs `work` in a forked copy of this program; returns its exit code.
template <class Work>
int in_copy(Work work) {
    multiprocessing::detail::platform::flush_standard_streams();
    const int copy = ::fork();
    if (copy == 0) {
        int code = 100;
        try {
            code = work();
        } catch (const std::exception& error) { std::fprintf(stderr, "in the copy: %s\n", error.what()); }
        multiprocessing::detail::end_children();
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(copy, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace process
#endif
