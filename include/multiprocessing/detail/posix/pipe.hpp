#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pipe.hpp  POSIX twin: pipe2.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <span>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Owns both, also if there is no memory to own the first.
MULTIPROCESSING_INLINE Pipe own_both(const int (&ends)[2]);

MULTIPROCESSING_INLINE Pipe make_pipe();

MULTIPROCESSING_INLINE std::size_t read_some(const Handle& end, std::span<std::byte> bytes);

MULTIPROCESSING_INLINE std::size_t write_some(const Handle& end, std::span<const std::byte> bytes);

MULTIPROCESSING_INLINE bool at_end(const Handle& end);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/signals.hpp>

#include <cerrno>
#include <ctime>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Pipe own_both(const int (&ends)[2]) {
    Pipe pipe;
    try {
        pipe.reader = Handle{ends[0]};
    } catch (...) {
        ::close(ends[1]);
        throw;
    }
    pipe.writer = Handle{ends[1]};
    return pipe;
}

MULTIPROCESSING_INLINE Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_last_error("making a pipe");
    return own_both(ends);
}

MULTIPROCESSING_INLINE std::size_t read_some(const Handle& end, std::span<std::byte> bytes) {
    for (;;) {
        const ssize_t got = ::read(end.native(), bytes.data(), bytes.size());
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) throw_last_error("reading from a pipe");
    }
}

MULTIPROCESSING_INLINE std::size_t write_some(const Handle& end, std::span<const std::byte> bytes) {
    const BrokenPipeSignalHeld no_signal;
    for (;;) {
        const ssize_t put = ::write(end.native(), bytes.data(), bytes.size());
        if (put >= 0) return static_cast<std::size_t>(put);
        if (errno != EINTR) throw_last_error("writing to a pipe");
    }
}

MULTIPROCESSING_INLINE bool at_end(const Handle& end) {
    pollfd waited{end.native(), POLLIN, 0};
    const timespec at_once{};
    // As in wait_any(): a function that the parent of a forked child has called before need not be
    // looked up in it.
    while (::ppoll(&waited, 1, &at_once, nullptr) < 0) {
        if (errno == EINVAL) return false; // no descriptors are allowed at all just now: unknown
        if (errno != EINTR) throw_last_error("looking at a pipe");
    }
    return (waited.revents & POLLHUP) && !(waited.revents & POLLIN);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
