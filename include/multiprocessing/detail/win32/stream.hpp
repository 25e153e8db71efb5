#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream.hpp  Win32 twin: named pipes of bytes, and sockets, by overlapped calls.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/win32/api.hpp>
#include <multiprocessing/detail/win32/socket.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/event.hpp>
#include <boost/winapi/file_management.hpp>
#include <boost/winapi/get_current_process.hpp>
#include <boost/winapi/get_current_process_id.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/handles.hpp>
#include <boost/winapi/overlapped.hpp>
#include <boost/winapi/pipes.hpp>
#include <boost/winapi/process.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// Returns a name for a pipe that nobody can guess; it is gone with the pipe.
MULTIPROCESSING_INLINE std::wstring random_pipe_name();

/// Makes the server's end of a pipe; `first` if there may be none of that name yet.
MULTIPROCESSING_INLINE Handle make_pipe_end(const std::wstring& name, bool first, winapi::DWORD_ most);

/// Opens the client's end; returns an empty handle if the server is busy or there is none, as
/// last_error() tells.
MULTIPROCESSING_INLINE Handle open_pipe_end(const std::wstring& name);

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_stream_pair();

/// One call of the system's that goes on while we do something else.
class Overlapped {
public:
    Overlapped();
    Overlapped(const Overlapped&) = delete;
    Overlapped& operator=(const Overlapped&) = delete;

    NativeHandle event() const noexcept { return event_.native(); }

    /// Returns the last error of a call that failed at once; 0 if it goes on.
    template <class Call>
    winapi::DWORD_ begin(Call call) {
        winapi::ResetEvent(event_.native());
        overlapped_ = {};
        overlapped_.hEvent = event_.native();
        if (call(&overlapped_)) return 0;
        const winapi::DWORD_ error = winapi::GetLastError();
        return error == winapi::ERROR_IO_PENDING_ ? 0 : error;
    }

    struct Outcome {
        std::size_t count;
        winapi::DWORD_ error;
    };
    /// Waits for it; cancels it first if it is to be cut short.
    Outcome end(const Handle& handle, bool cancel);

private:
    Handle event_;
    winapi::OVERLAPPED_ overlapped_{};
};

class Stream {
public:
    static constexpr std::size_t most_handles = 1000;

    Stream() noexcept = default;
    explicit Stream(Handle end);

    const Handle& handle() const noexcept { return end_; }
    bool carries_handles() const noexcept { return is_pipe_; }

    std::optional<std::size_t> read_some(std::span<std::byte> bytes, Deadline deadline, Arrived&);

    void write_all(std::span<const std::byte> head, std::span<const std::byte> body, const std::vector<Handle>&,
                   Drain* drain);
    std::size_t write_some(std::span<const std::byte> bytes);

    static constexpr bool watch_reads_ahead = true;
    NativeHandle watch(Inbox& inbox);
    void unwatch(Inbox& inbox);

    static constexpr bool handles_are_words = true;
    /// Returns our process and the handle's value here, where it stays open until the receiver
    /// takes it.
    static std::uint64_t offer(Handle&& handle);
    static Handle accept(std::uint64_t word);

    bool is_closed() const;

    static void shut(const Handle&, bool, bool) noexcept {} // a pipe goes both ways; nobody uses the other one

private:
    static constexpr winapi::DWORD_ ERROR_OPERATION_ABORTED_ = 995;

    winapi::DWORD_ begin_read(std::span<std::byte> bytes);
    winapi::DWORD_ begin_write(std::span<const std::byte> bytes);

    static winapi::DWORD_ size_of(std::size_t bytes) noexcept;

    static bool is_end(winapi::DWORD_ error) noexcept;

    static std::size_t end_of(winapi::DWORD_ error);

    [[noreturn]] static void throw_write_error(winapi::DWORD_ error);

    void write(std::span<const std::byte> bytes, Drain* drain);

    /// Takes in what arrives until the write is through, or it is time to look again.
    void wait_for_room(Drain*& drain);

    Handle end_;
    std::unique_ptr<Overlapped> reading_; // at addresses that stay: the system writes to them
    std::unique_ptr<Overlapped> writing_;
    bool is_pipe_ = false;
    bool watching_ = false;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/wait.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::wstring random_pipe_name() {
    std::array<std::byte, 16> random;
    fill_random(random);
    std::wstring name =
        L"\\\\.\\pipe\\multiprocessing-" + std::to_wstring(winapi::GetCurrentProcessId()) + L"-";
    for (const std::byte byte : random) name += L"0123456789abcdef"[static_cast<unsigned>(byte) & 15];
    return name;
}

MULTIPROCESSING_INLINE Handle make_pipe_end(const std::wstring& name, bool first, winapi::DWORD_ most) {
    constexpr winapi::DWORD_ first_instance = 0x80000; // FILE_FLAG_FIRST_PIPE_INSTANCE
    constexpr winapi::DWORD_ room = 65'536;
    const NativeHandle end = winapi::CreateNamedPipeW(
        name.c_str(),
        winapi::PIPE_ACCESS_DUPLEX_ | winapi::FILE_FLAG_OVERLAPPED_ | (first ? first_instance : 0),
        winapi::PIPE_TYPE_BYTE_ | winapi::PIPE_READMODE_BYTE_ | winapi::PIPE_WAIT_ |
            winapi::PIPE_REJECT_REMOTE_CLIENTS_,
        most, room, room, 0, nullptr);
    if (end == winapi::INVALID_HANDLE_VALUE_) throw_last_error("making a named pipe");
    return Handle{end};
}

MULTIPROCESSING_INLINE Handle open_pipe_end(const std::wstring& name) {
    const NativeHandle end =
        winapi::CreateFileW(name.c_str(), winapi::GENERIC_READ_ | winapi::GENERIC_WRITE_, 0, nullptr,
                            winapi::OPEN_EXISTING_, winapi::FILE_FLAG_OVERLAPPED_, nullptr);
    return end == winapi::INVALID_HANDLE_VALUE_ ? Handle{} : Handle{end};
}

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_stream_pair() {
    const std::wstring name = random_pipe_name();
    Handle first = make_pipe_end(name, true, 1);
    Handle second = open_pipe_end(name);
    if (!second.valid()) throw_last_error("opening a named pipe");
    return {std::move(first), std::move(second)};
}

MULTIPROCESSING_INLINE Overlapped::Overlapped() : event_(winapi::CreateEventW(nullptr, true, false, nullptr)) {
    if (!event_.valid()) throw_last_error("making an event");
}

MULTIPROCESSING_INLINE Overlapped::Outcome Overlapped::end(const Handle& handle, bool cancel) {
    auto* const overlapped = reinterpret_cast<::_OVERLAPPED*>(&overlapped_);
    if (cancel) CancelIoEx(handle.native(), overlapped);
    winapi::DWORD_ count = 0;
    const bool done = GetOverlappedResult(handle.native(), overlapped, &count, true);
    return {count, done ? 0 : winapi::GetLastError()};
}

MULTIPROCESSING_INLINE Stream::Stream(Handle end)
    : end_(std::move(end)),
      reading_(std::make_unique<Overlapped>()),
      writing_(std::make_unique<Overlapped>()),
      is_pipe_(GetNamedPipeInfo(end_.native(), nullptr, nullptr, nullptr, nullptr)) {}

MULTIPROCESSING_INLINE std::optional<std::size_t> Stream::read_some(std::span<std::byte> bytes,
                                                                    Deadline deadline, Arrived&) {
    winapi::DWORD_ error = begin_read(bytes);
    if (error) return end_of(error);
    const bool came = wait_one(reading_->event(), deadline);
    const auto outcome = reading_->end(end_, !came);
    if (outcome.error == ERROR_OPERATION_ABORTED_) return std::nullopt;
    return outcome.error ? end_of(outcome.error) : outcome.count;
}

MULTIPROCESSING_INLINE void Stream::write_all(std::span<const std::byte> head, std::span<const std::byte> body,
                                              const std::vector<Handle>&, Drain* drain) {
    constexpr std::size_t joined_at_most = 16'384; // as CPython
    if (body.size() <= joined_at_most) {
        std::vector<std::byte> all;
        all.reserve(head.size() + body.size());
        all.insert(all.end(), head.begin(), head.end());
        all.insert(all.end(), body.begin(), body.end());
        write(all, drain);
    } else {
        write(head, drain);
        write(body, drain);
    }
}

MULTIPROCESSING_INLINE std::size_t Stream::write_some(std::span<const std::byte> bytes) {
    // A pipe that has no room for all of a write takes none of it.
    constexpr std::size_t piece = 4096;
    if (const winapi::DWORD_ error = begin_write(bytes.first((std::min)(bytes.size(), piece))))
        throw_write_error(error);
    const bool done = wait_one(writing_->event(), Deadline::after(std::chrono::seconds{0}));
    const auto outcome = writing_->end(end_, !done);
    if (outcome.error && outcome.error != ERROR_OPERATION_ABORTED_) throw_write_error(outcome.error);
    return outcome.count;
}

MULTIPROCESSING_INLINE NativeHandle Stream::watch(Inbox& inbox) {
    watching_ = false;
    const winapi::DWORD_ error = begin_read(inbox.room());
    if (!error) {
        watching_ = true;
    } else {
        end_of(error);
        inbox.ended = true;
        winapi::SetEvent(reading_->event());
    }
    return reading_->event();
}

MULTIPROCESSING_INLINE void Stream::unwatch(Inbox& inbox) {
    if (!std::exchange(watching_, false)) return;
    const auto outcome = reading_->end(end_, true);
    if (outcome.error == ERROR_OPERATION_ABORTED_) return;
    if (outcome.error) end_of(outcome.error);
    if (outcome.count == 0) inbox.ended = true;
    inbox.added(outcome.count, {});
}

MULTIPROCESSING_INLINE std::uint64_t Stream::offer(Handle&& handle) {
    const auto value = reinterpret_cast<std::uintptr_t>(handle.release()); // 32 bits of it count
    return std::uint64_t{winapi::GetCurrentProcessId()} << 32 | (value & 0xffff'ffff);
}

MULTIPROCESSING_INLINE Handle Stream::accept(std::uint64_t word) {
    constexpr winapi::DWORD_ close_source = 1;
    const Handle sink{
        winapi::OpenProcess(winapi::PROCESS_DUP_HANDLE_, false, static_cast<winapi::DWORD_>(word >> 32))};
    if (!sink.valid()) return {};
    NativeHandle taken = nullptr;
    const auto value = reinterpret_cast<NativeHandle>(static_cast<std::uintptr_t>(word & 0xffff'ffff));
    winapi::DuplicateHandle(sink.native(), value, winapi::GetCurrentProcess(), &taken, 0, false,
                            winapi::DUPLICATE_SAME_ACCESS_ | close_source);
    return Handle{taken};
}

MULTIPROCESSING_INLINE bool Stream::is_closed() const {
    return is_pipe_ && !winapi::PeekNamedPipe(end_.native(), nullptr, 0, nullptr, nullptr, nullptr) &&
           is_end(winapi::GetLastError());
}

MULTIPROCESSING_INLINE winapi::DWORD_ Stream::begin_read(std::span<std::byte> bytes) {
    return reading_->begin([&](winapi::OVERLAPPED_* overlapped) {
        return winapi::ReadFile(end_.native(), bytes.data(), size_of(bytes.size()), nullptr, overlapped);
    });
}

MULTIPROCESSING_INLINE winapi::DWORD_ Stream::begin_write(std::span<const std::byte> bytes) {
    return writing_->begin([&](winapi::OVERLAPPED_* overlapped) {
        if (!is_pipe_) {
            // Not as a file: under Wine, what finds no room then never ends. But a handle that was
            // duplicated is no socket for Winsock.
            SocketBuffer buffer{size_of(bytes.size()),
                                const_cast<char*>(reinterpret_cast<const char*>(bytes.data()))};
            const auto& winsock = Winsock::get();
            if (winsock.send(Winsock::native_of(end_), &buffer, 1, nullptr, 0, overlapped, nullptr) == 0)
                return true;
            constexpr int not_a_socket = 10038;
            if (winsock.last_error() != not_a_socket) return false;
        }
        return winapi::WriteFile(end_.native(), bytes.data(), size_of(bytes.size()), nullptr, overlapped) != 0;
    });
}

MULTIPROCESSING_INLINE winapi::DWORD_ Stream::size_of(std::size_t bytes) noexcept {
    constexpr std::size_t most = std::size_t{1} << 30;
    return static_cast<winapi::DWORD_>(bytes < most ? bytes : most);
}

MULTIPROCESSING_INLINE bool Stream::is_end(winapi::DWORD_ error) noexcept {
    constexpr winapi::DWORD_ network_name_deleted = 64, aborted = 1236;
    constexpr winapi::DWORD_ winsock_aborted = 10053, winsock_reset = 10054;
    return error == winapi::ERROR_BROKEN_PIPE_ || error == winapi::ERROR_NO_DATA_ ||
           error == winapi::ERROR_PIPE_NOT_CONNECTED_ || error == winapi::ERROR_HANDLE_EOF_ ||
           error == network_name_deleted || error == aborted || error == winsock_aborted ||
           error == winsock_reset;
}

MULTIPROCESSING_INLINE std::size_t Stream::end_of(winapi::DWORD_ error) {
    if (!is_end(error))
        throw_error({static_cast<int>(error), std::system_category()}, "receiving from a Connection");
    return 0;
}

MULTIPROCESSING_INLINE void Stream::throw_write_error(winapi::DWORD_ error) {
    if (is_end(error))
        throw_error(std::make_error_code(std::errc::broken_pipe),
                    "sending to a Connection whose other end is closed");
    throw_error({static_cast<int>(error), std::system_category()}, "sending to a Connection");
}

MULTIPROCESSING_INLINE void Stream::write(std::span<const std::byte> bytes, Drain* drain) {
    while (!bytes.empty()) {
        if (const winapi::DWORD_ error = begin_write(bytes)) throw_write_error(error);
        while (!wait_one(writing_->event(), Deadline::after(std::chrono::seconds{0}))) wait_for_room(drain);
        const auto outcome = writing_->end(end_, false);
        if (outcome.error) throw_write_error(outcome.error);
        bytes = bytes.subspan(outcome.count);
    }
}

MULTIPROCESSING_INLINE void Stream::wait_for_room(Drain*& drain) {
    using namespace std::chrono_literals;
    // First without the lock, for a thread that wants to receive.
    if (wait_one(writing_->event(), Deadline::after(1ms))) return;
    const std::unique_lock reading =
        drain ? std::unique_lock{drain->reading, std::try_to_lock} : std::unique_lock<Mutex>{};
    if (!reading || drain->inbox.ended || drain->inbox.is_full()) {
        wait_one(writing_->event(), Deadline::after(drain ? 10ms : 100ms));
        return;
    }
    try {
        const std::array<NativeHandle, 2> either{writing_->event(), watch(drain->inbox)};
        wait_any(either, Deadline::after(5ms));
        unwatch(drain->inbox);
    } catch (const std::exception&) { drain = nullptr; } // the write has to end first
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
