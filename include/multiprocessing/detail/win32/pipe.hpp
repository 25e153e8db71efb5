#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pipe.hpp  Win32 twin: anonymous pipes.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstddef>
#include <span>

#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/file_management.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/pipes.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Pipe make_pipe();

/// Returns at most 1 GiB of it: sizes have 32 bits here.
MULTIPROCESSING_INLINE winapi::DWORD_ piece_of(std::size_t bytes) noexcept;

MULTIPROCESSING_INLINE std::size_t read_some(const Handle& end, std::span<std::byte> bytes);

MULTIPROCESSING_INLINE std::size_t write_some(const Handle& end, std::span<const std::byte> bytes);

MULTIPROCESSING_INLINE bool at_end(const Handle& end);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Pipe make_pipe() {
    winapi::HANDLE_ reader = nullptr;
    winapi::HANDLE_ writer = nullptr;
    if (!winapi::CreatePipe(&reader, &writer, nullptr, 65'536)) throw_last_error("making a pipe");
    return Pipe{Handle{reader}, Handle{writer}};
}

MULTIPROCESSING_INLINE winapi::DWORD_ piece_of(std::size_t bytes) noexcept {
    constexpr std::size_t most = std::size_t{1} << 30;
    return static_cast<winapi::DWORD_>(bytes < most ? bytes : most);
}

MULTIPROCESSING_INLINE std::size_t read_some(const Handle& end, std::span<std::byte> bytes) {
    for (;;) {
        winapi::DWORD_ got = 0;
        if (!winapi::ReadFile(end.native(), bytes.data(), piece_of(bytes.size()), &got, nullptr)) {
            if (winapi::GetLastError() == winapi::ERROR_BROKEN_PIPE_) return 0;
            throw_last_error("reading from a pipe");
        }
        if (got > 0 || bytes.empty())
            return got; // 0 is a write of nothing, which arrives here as such, and no end
    }
}

MULTIPROCESSING_INLINE std::size_t write_some(const Handle& end, std::span<const std::byte> bytes) {
    winapi::DWORD_ put = 0;
    if (winapi::WriteFile(end.native(), bytes.data(), piece_of(bytes.size()), &put, nullptr)) return put;
    const winapi::DWORD_ error = winapi::GetLastError();
    if (error == winapi::ERROR_BROKEN_PIPE_ || error == winapi::ERROR_NO_DATA_)
        throw_error(std::make_error_code(std::errc::broken_pipe), "writing to a pipe");
    throw_last_error("writing to a pipe");
}

MULTIPROCESSING_INLINE bool at_end(const Handle& end) {
    // Waits for a reader in another thread, if there is one: calls on one end of a pipe take turns.
    if (winapi::PeekNamedPipe(end.native(), nullptr, 0, nullptr, nullptr, nullptr)) return false;
    if (winapi::GetLastError() != winapi::ERROR_BROKEN_PIPE_) throw_last_error("looking at a pipe");
    return true;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
