#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file listening.hpp  Win32 twin: named pipes of bytes. No TCP yet.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/win32/api.hpp>
#include <multiprocessing/detail/win32/text.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/event.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/pipes.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline std::wstring pipe_name_of(const Endpoint& endpoint) {
    if (endpoint.is_network()) {
        throw_error(std::make_error_code(std::errc::operation_not_supported),
                    "TCP is not supported on Windows yet: use the name of a pipe, \\\\.\\pipe\\name");
    }
    if (!endpoint.path.starts_with("\\\\")) {
        throw std::invalid_argument("multiprocessing: '" + endpoint.path +
                                    "' is no name of a pipe; on Windows these begin with \\\\.\\pipe\\");
    }
    return wide(endpoint.path);
}

class Listening {
public:
    Listening(Endpoint wanted, int) : endpoint_(std::move(wanted)) {
        if (!endpoint_.is_network() && endpoint_.path.empty()) endpoint_.path = narrow(random_pipe_name());
        name_ = pipe_name_of(endpoint_);
        next(true);
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    ~Listening() {
        if (waiting_.valid()) connecting_->end(waiting_, true);
    }

    const Endpoint& endpoint() const noexcept { return endpoint_; }
    NativeHandle handle() const noexcept { return connecting_->event(); }

    std::optional<Handle> accept(Endpoint& peer) {
        if (!wait_one(connecting_->event(), Deadline::after(std::chrono::seconds{0}))) return std::nullopt;
        const winapi::DWORD_ error = connected_ ? 0 : connecting_->end(waiting_, false).error;
        Handle accepted = std::move(waiting_);
        next(false);
        peer = {};
        if (error) return std::nullopt; // gone already
        return accepted;
    }

private:
    /// Another end of the pipe, which waits for a client.
    void next(bool first) {
        constexpr winapi::DWORD_ unlimited = 255;
        constexpr winapi::DWORD_ already_connected = 535;
        waiting_ = make_pipe_end(name_, first, unlimited);
        const winapi::DWORD_ error = connecting_->begin([&](winapi::OVERLAPPED_* overlapped) {
            return winapi::ConnectNamedPipe(waiting_.native(), overlapped);
        });
        connected_ = error != 0; // or gone again, which a read will tell
        if (connected_) winapi::SetEvent(connecting_->event());
        if (error != 0 && error != already_connected && error != winapi::ERROR_NO_DATA_)
            throw_error({static_cast<int>(error), std::system_category()}, "waiting at " + endpoint_.path);
    }

    Endpoint endpoint_;
    std::wstring name_;
    Handle waiting_;
    bool connected_ = false;
    std::unique_ptr<Overlapped> connecting_ = std::make_unique<Overlapped>();
};

inline Handle connect(const Endpoint& endpoint, Deadline deadline) {
    const std::wstring name = pipe_name_of(endpoint);
    for (;;) {
        Handle end = open_pipe_end(name);
        if (end.valid()) return end;
        constexpr winapi::DWORD_ pipe_busy = 231;
        if (winapi::GetLastError() != pipe_busy) throw_last_error("connecting to " + endpoint.path);
        if (deadline.passed())
            throw_error(std::make_error_code(std::errc::timed_out), "connecting to " + endpoint.path);
        wait_any({}, Deadline::after(std::chrono::milliseconds{5}).sooner(deadline));
    }
}

} // namespace multiprocessing::inline v1::detail::platform
