#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_streams.hpp  POSIX twin: ftrylockfile, /dev/null.

#include <multiprocessing/detail/config.hpp>

#include <array>
#include <cstdio>
#include <iostream>
#include <string_view>

#include <fcntl.h>
#include <stdio_ext.h> // for __fpurge, __fpending
#include <sys/ioctl.h>
#include <unistd.h>

#if defined(__GLIBCXX__)
#include <ext/stdio_sync_filebuf.h>
#endif

namespace multiprocessing::inline v1::detail::platform {

namespace bound_early { // see exit (process.hpp)
inline void (*const volatile fpurge)(std::FILE*) = &::__fpurge;
}

/// Returns whether a stream is one with stdio, and so has no buffer of its own: as long as nobody
/// calls sync_with_stdio(false).
MULTIPROCESSING_INLINE bool is_synchronised([[maybe_unused]] const std::ostream& stream) noexcept;

MULTIPROCESSING_INLINE void flush_standard_streams() noexcept;

/// Returns whether a stream buffer holds output, which is known to its derived classes alone.
MULTIPROCESSING_INLINE bool holds_output(const std::ostream& stream) noexcept;

MULTIPROCESSING_INLINE void flush_what_was_printed() noexcept;

MULTIPROCESSING_INLINE void drop_what_was_printed() noexcept;

/// Makes the reading end of a pipe that nothing will write to: it is at its end as well. Takes the
/// lowest free number.
MULTIPROCESSING_INLINE int empty_input() noexcept;

MULTIPROCESSING_INLINE void take_null_input();

MULTIPROCESSING_INLINE std::array<NativeHandle, 2> standard_outputs();

MULTIPROCESSING_INLINE void take_standard_outputs(const std::array<NativeHandle, 2>& outputs);

inline bool is_terminal_error() noexcept { return ::isatty(STDERR_FILENO) == 1; }

MULTIPROCESSING_INLINE int terminal_width() noexcept;
MULTIPROCESSING_INLINE int terminal_height() noexcept;

MULTIPROCESSING_INLINE bool can_move_cursor() noexcept;
MULTIPROCESSING_INLINE bool shows_blocks() noexcept;

MULTIPROCESSING_INLINE void write_error(std::string_view text) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/signals.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <streambuf>
#include <typeinfo>

#include <string.h> // for strcasestr

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE bool is_synchronised([[maybe_unused]] const std::ostream& stream) noexcept {
#if defined(__GLIBCXX__)
    const std::streambuf* const buffer = stream.rdbuf();
    return buffer && typeid(*buffer) == typeid(__gnu_cxx::stdio_sync_filebuf<char>);
#else
    return false;
#endif
}

MULTIPROCESSING_INLINE void flush_standard_streams() noexcept {
    const auto flush = [](std::FILE* file, std::ostream& first, std::ostream* second) {
        // fflush(NULL) would wait for any FILE that another thread sits in: a reader of stdin, say.
        // In a child that prints nothing this is all: what it calls beyond are pages that it would
        // be the first to touch.
        if (is_synchronised(first) && (!second || is_synchronised(*second)) && ::__fpending(file) == 0) return;
        if (::ftrylockfile(file) != 0) return;
        const BrokenPipeSignalHeld no_signal; // a reader that has gone is no reason to end a worker
        try {
            // The buffers, not the streams: cerr is tied to cout, so cerr.flush() would wait for a
            // stdout that is held.
            first.rdbuf()->pubsync();
            if (second) second->rdbuf()->pubsync();
        } catch (...) { // a buffer of the program's own: what it cannot write is not ours to report
        }
        std::fflush(file);
        ::funlockfile(file);
    };
    flush(stdout, std::cout, nullptr);
    flush(stderr, std::cerr, &std::clog);
}

MULTIPROCESSING_INLINE bool holds_output(const std::ostream& stream) noexcept {
    struct Inside : std::streambuf {
        static bool holds(const std::streambuf& buffer) noexcept {
            return (buffer.*&Inside::pptr)() != (buffer.*&Inside::pbase)();
        }
    };
    const std::streambuf* const buffer = stream.rdbuf();
    return buffer && Inside::holds(*buffer);
}

MULTIPROCESSING_INLINE void flush_what_was_printed() noexcept {
    if (::__fpending(stdout) != 0 || ::__fpending(stderr) != 0 || holds_output(std::cout) ||
        holds_output(std::cerr) || holds_output(std::clog))
        flush_standard_streams();
}

MULTIPROCESSING_INLINE void drop_what_was_printed() noexcept {
    struct Inside : std::streambuf {
        static void drop(std::streambuf& buffer) noexcept {
            const auto held = (buffer.*&Inside::pptr)() - (buffer.*&Inside::pbase)();
            if (held > 0) (buffer.*&Inside::pbump)(-static_cast<int>(held));
        }
    };
    for (std::FILE* const file : {stdout, stderr}) {
        if (::__fpending(file) != 0) bound_early::fpurge(file);
    }
    for (const std::ostream* const stream : {&std::cout, &std::cerr, &std::clog}) {
        // Asked first, as the cast costs a child 15 pages, 45 us, where the program makes no other.
        if (!holds_output(*stream)) continue;
        // What the program has put in its place, to keep what is printed, is the copy's as well.
        if (auto* const file = dynamic_cast<std::filebuf*>(stream->rdbuf())) Inside::drop(*file);
    }
}

MULTIPROCESSING_INLINE int empty_input() noexcept {
    int ends[2];
    if (::pipe(ends) != 0) return -1;
    ::close(ends[1]);
    return ends[0];
}

MULTIPROCESSING_INLINE void take_null_input() {
    ::close(STDIN_FILENO);
    int null = ::open("/dev/null", O_RDONLY);              // takes its place, unless another thread was quicker
    if (null < 0 && errno == ENOENT) null = empty_input(); // in a root directory without devices
    if (null < 0) throw_last_error("opening /dev/null");
    if (null != STDIN_FILENO) {
        ::dup2(null, STDIN_FILENO);
        ::close(null);
    }
    bound_early::fpurge(stdin); // a forked child has a copy of what its parent read ahead
}

MULTIPROCESSING_INLINE std::array<NativeHandle, 2> standard_outputs() {
    std::array<NativeHandle, 2> outputs{STDOUT_FILENO, STDERR_FILENO};
    for (NativeHandle& output : outputs) {
        if (::fcntl(output, F_GETFD) == -1) output = HandleTraits::invalid();
    }
    return outputs;
}

MULTIPROCESSING_INLINE void take_standard_outputs(const std::array<NativeHandle, 2>& outputs) {
    for (int i = 0; i < 2; ++i) {
        const NativeHandle output = outputs[static_cast<std::size_t>(i)];
        if (output == HandleTraits::invalid()) {
            ::close(STDOUT_FILENO + i);
        } else if (::dup2(output, STDOUT_FILENO + i) < 0) {
            throw_last_error("taking the parent's standard output");
        }
    }
}

MULTIPROCESSING_INLINE int terminal_width() noexcept {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

MULTIPROCESSING_INLINE int terminal_height() noexcept {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
    return 24;
}

MULTIPROCESSING_INLINE bool can_move_cursor() noexcept {
    const char* const terminal = std::getenv("TERM");
    return terminal && *terminal && std::string_view(terminal) != "dumb";
}

MULTIPROCESSING_INLINE bool shows_blocks() noexcept {
    // What setlocale() would say, which the program may not have called.
    for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* const locale = std::getenv(name);
        if (!locale || !*locale) continue;
        return ::strcasestr(locale, "utf-8") || ::strcasestr(locale, "utf8");
    }
    return false;
}

MULTIPROCESSING_INLINE void write_error(std::string_view text) noexcept {
    const BrokenPipeSignalHeld no_signal;
    [[maybe_unused]] const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
