#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file doorbell.hpp  Win32 twin: an event that stays set until it is reset.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <utility>

#include <boost/winapi/event.hpp>

namespace multiprocessing::inline v1::detail::platform {

class Doorbell {
public:
    Doorbell();
    explicit Doorbell(Handle handle) noexcept : handle_(std::move(handle)) {}

    void ring() noexcept;
    void silence() noexcept;
    const Handle& handle() const noexcept { return handle_; }

private:
    Handle handle_;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Doorbell::Doorbell() : handle_(winapi::CreateEventW(nullptr, true, false, nullptr)) {
    if (!handle_.valid()) throw_last_error("making an event");
}

MULTIPROCESSING_INLINE void Doorbell::ring() noexcept { winapi::SetEvent(handle_.native()); }

MULTIPROCESSING_INLINE void Doorbell::silence() noexcept { winapi::ResetEvent(handle_.native()); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
