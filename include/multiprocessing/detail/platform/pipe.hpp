#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pipe.hpp  Contract: a byte stream from one process to another.
///
/// * `make_pipe()`: both ends ours, not inherited by other programs.
/// * `read_some(end, bytes)`: blocks until at least one byte is there; 0 at end of file, that is
///   when every write end is closed and all was read.
/// * `write_some(end, bytes)`: blocks until at least one byte is taken. Throws `std::system_error`
///   with `std::errc::broken_pipe` when no read end is left: never a signal.
/// * `at_end(end)`: true if every write end is closed and nothing is left to read; does not block.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace multiprocessing::inline v1::detail::platform {

/// The two ends of a pipe.
struct Pipe {
    Handle reader;
    Handle writer;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/pipe.hpp>
#else
#include <multiprocessing/detail/posix/pipe.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

/// Fills `bytes`; false if the stream ended before.
inline bool read_all(const Handle& end, std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t got = read_some(end, bytes);
        if (got == 0) return false;
        bytes = bytes.subspan(got);
    }
    return true;
}

/// Writes all of `bytes`.
inline void write_all(const Handle& end, std::span<const std::byte> bytes) {
    while (!bytes.empty()) bytes = bytes.subspan(write_some(end, bytes));
}

static_assert(requires(const Handle& end, std::span<std::byte> in, std::span<const std::byte> out) {
    { make_pipe() } -> std::same_as<Pipe>;
    { read_some(end, in) } -> std::same_as<std::size_t>;
    { write_some(end, out) } -> std::same_as<std::size_t>;
    { at_end(end) } -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
