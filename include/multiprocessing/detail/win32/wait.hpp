#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  Win32 twin: WaitForMultipleObjects, and the system's thread pool past its 64
/// handles.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include <boost/winapi/thread.hpp>
#include <boost/winapi/thread_pool.hpp>
#include <boost/winapi/wait.hpp>
#include <boost/winapi/wait_constants.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// Returns the span, rounded up, so that a wait does not end before its time and spin.
MULTIPROCESSING_INLINE winapi::DWORD_ to_milliseconds(std::chrono::nanoseconds span) noexcept;

/// Rings a bell of its own when any of the handles is ready. Has left no trace of itself when it is
/// gone.
class WaitForMany {
public:
    explicit WaitForMany(std::span<const NativeHandle> handles);
    WaitForMany(const WaitForMany&) = delete;
    WaitForMany& operator=(const WaitForMany&) = delete;
    ~WaitForMany();

    NativeHandle bell() const noexcept;

private:
    WaitForMany() = default;

    static void BOOST_WINAPI_NTAPI_CC ring(void* bell, winapi::BOOLEAN_);

    Doorbell bell_;
    std::vector<winapi::HANDLE_> waits_;
};

MULTIPROCESSING_INLINE std::vector<std::size_t> ready_among(std::span<const NativeHandle> handles);

MULTIPROCESSING_INLINE std::vector<std::size_t> wait_any(std::span<const NativeHandle> handles,
                                                         Deadline deadline);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE winapi::DWORD_ to_milliseconds(std::chrono::nanoseconds span) noexcept {
    constexpr std::chrono::nanoseconds most = std::chrono::hours{24};
    if (span < std::chrono::nanoseconds{0}) return 0;
    if (span > most) span = most;
    return static_cast<winapi::DWORD_>(std::chrono::ceil<std::chrono::milliseconds>(span).count());
}

MULTIPROCESSING_INLINE WaitForMany::WaitForMany(std::span<const NativeHandle> handles)
    : WaitForMany() { // from here on the destructor runs
    waits_.reserve(handles.size());
    for (const NativeHandle handle : handles) {
        winapi::HANDLE_ wait = nullptr;
        if (!winapi::RegisterWaitForSingleObject(&wait, handle, &ring, &bell_, winapi::INFINITE_,
                                                 winapi::WT_EXECUTEINWAITTHREAD_ | winapi::WT_EXECUTEONLYONCE_))
            throw_last_error("waiting for any of many handles");
        waits_.push_back(wait);
    }
}

MULTIPROCESSING_INLINE WaitForMany::~WaitForMany() {
    // With this value as its event, the call waits for a callback that runs just now.
    for (const winapi::HANDLE_ wait : waits_) winapi::UnregisterWaitEx(wait, winapi::INVALID_HANDLE_VALUE_);
}

MULTIPROCESSING_INLINE NativeHandle WaitForMany::bell() const noexcept { return bell_.handle().native(); }

MULTIPROCESSING_INLINE void BOOST_WINAPI_NTAPI_CC WaitForMany::ring(void* bell, winapi::BOOLEAN_) {
    static_cast<Doorbell*>(bell)->ring();
}

MULTIPROCESSING_INLINE std::vector<std::size_t> ready_among(std::span<const NativeHandle> handles) {
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < handles.size(); ++i) {
        const winapi::DWORD_ state = winapi::WaitForSingleObject(handles[i], 0);
        if (state == winapi::WAIT_FAILED_) throw_last_error("looking at one of several handles");
        if (state != winapi::WAIT_TIMEOUT_) ready.push_back(i);
    }
    return ready;
}

MULTIPROCESSING_INLINE std::vector<std::size_t> wait_any(std::span<const NativeHandle> handles,
                                                         Deadline deadline) {
    constexpr std::size_t most = 64; // MAXIMUM_WAIT_OBJECTS
    for (;;) {
        const winapi::DWORD_ left =
            deadline.never() ? winapi::INFINITE_ : to_milliseconds(deadline.left(std::chrono::hours{1}));
        winapi::DWORD_ state = 0;
        if (handles.empty()) {
            winapi::Sleep(left);
        } else if (handles.size() <= most) {
            state = winapi::WaitForMultipleObjects(static_cast<winapi::DWORD_>(handles.size()), handles.data(),
                                                   false, left);
        } else if (auto ready = ready_among(handles); !ready.empty() || left == 0) {
            return ready;
        } else {
            const WaitForMany many{handles};
            state = winapi::WaitForSingleObject(many.bell(), left);
        }
        if (state == winapi::WAIT_FAILED_) throw_last_error("waiting for any of several handles");
        // None of what is waited for is used up by being looked at: doorbells stay rung, the dead
        // stay dead.
        auto ready = ready_among(handles);
        if (!ready.empty() || deadline.passed()) return ready;
    }
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
