#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lifeline.hpp  POSIX twin: a pipe whose end of file is a signal.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Asks the kernel to send the strand's signal to `pid` when the last write end of its pipe is
/// closed. Belongs to the open file, so it survives exec. (PR_SET_PDEATHSIG follows the parent's
/// *thread*, and is no use here.)
MULTIPROCESSING_INLINE bool arm(int strand, int pid) noexcept;

class Lifeline {
public:
    /// Each child needs an open file of its own, as the signal's receiver belongs to that: the
    /// reading end is opened again. Its write end stays one. Where /proc is not there, or this
    /// process has given up the rights by which it made the pipe, the child gets a pipe of its own.
    Strand strand();

    void tie(const Handle& strand, const Child& child);

private:
    Pipe pipe_ = make_pipe();
};

inline bool is_gone(const Handle& strand) { return at_end(strand); }

MULTIPROCESSING_INLINE void hold(const Handle& strand);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE bool arm(int strand, int pid) noexcept {
    return ::fcntl(strand, F_SETOWN, pid) == 0 && ::fcntl(strand, F_SETFL, O_ASYNC | O_NONBLOCK) == 0;
}

MULTIPROCESSING_INLINE Strand Lifeline::strand() {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", pipe_.reader.native());
    Strand strand{Handle{::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}, Handle{}};
    if (!strand.child.valid()) {
        Pipe own = make_pipe();
        strand = Strand{std::move(own.reader), std::move(own.writer)};
    }
    if (::fcntl(strand.child.native(), F_SETSIG, SIGKILL) != 0)
        throw_last_error("setting the signal of a lifeline");
    return strand;
}

MULTIPROCESSING_INLINE void Lifeline::tie(const Handle& strand, const Child& child) {
    if (arm(strand.native(), child.pid())) return;
    // It has ended already, and left no zombie, as SIGCHLD is ignored.
    if (errno != ESRCH) throw_last_error("arming the lifeline of a child");
}

MULTIPROCESSING_INLINE void hold(const Handle& strand) {
    // Armed first, looked at second: the other way round a parent that dies in between goes
    // unnoticed.
    arm(strand.native(), static_cast<int>(::getpid()));
    if (is_gone(strand)) exit_now(128 + SIGKILL);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
