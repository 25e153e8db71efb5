#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  POSIX twin: ppoll.

#include <multiprocessing/detail/config.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <span>
#include <vector>

#include <poll.h>

namespace multiprocessing::inline v1::detail::platform {

inline std::vector<std::size_t> wait_any(std::span<const NativeHandle> handles, Deadline deadline) {
    // The usual case, one sentinel, does without the allocation.
    std::array<pollfd, 8> few;
    std::vector<pollfd> many(handles.size() > few.size() ? handles.size() : 0);
    pollfd* const waited = many.empty() ? few.data() : many.data();
    for (std::size_t i = 0; i < handles.size(); ++i) waited[i] = pollfd{handles[i], POLLIN, 0};

    std::vector<std::size_t> ready;
    for (;;) {
        timespec left{};
        if (!deadline.never()) {
            const auto span = deadline.left(std::chrono::hours{1});
            left.tv_sec = static_cast<time_t>(span.count() / 1'000'000'000);
            left.tv_nsec = static_cast<long>(span.count() % 1'000'000'000);
        }
        const int count = ::ppoll(waited, handles.size(), deadline.never() ? nullptr : &left, nullptr);
        if (count < 0 && errno != EINTR) throw_last_error("waiting for any of several handles");
        if (count > 0) {
            for (std::size_t i = 0; i < handles.size(); ++i) {
                if (waited[i].revents) ready.push_back(i);
            }
            return ready;
        }
        if (deadline.passed()) return ready;
    }
}

} // namespace multiprocessing::inline v1::detail::platform
