#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file doorbell.hpp  POSIX twin: eventfd.

#include <multiprocessing/detail/config.hpp>

#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

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
#include <cstdint>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Doorbell::Doorbell() : handle_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!handle_.valid()) throw_last_error("making an eventfd");
}

MULTIPROCESSING_INLINE void Doorbell::ring() noexcept {
    const std::uint64_t one = 1;
    // The only failure is EAGAIN: it is ringing as loud as it can.
    [[maybe_unused]] const ssize_t put = ::write(handle_.native(), &one, sizeof one);
}

MULTIPROCESSING_INLINE void Doorbell::silence() noexcept {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(handle_.native(), &count, sizeof count);
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
