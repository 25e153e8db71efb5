#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  POSIX twin: ppoll, and pselect where the limit of descriptors was lowered
/// beneath what is waited for.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <ctime>
#include <span>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>

namespace multiprocessing::inline v1::detail::platform {

/// Does what ppoll() does for POLLIN, of which the system demands that there be no more handles
/// than the process may have descriptors. A program that lowers that limit keeps those that it has.
/// Returns how many are ready.
MULTIPROCESSING_INLINE int select_instead(std::span<pollfd> waited, const timespec* left);

MULTIPROCESSING_INLINE std::vector<std::size_t> wait_any(std::span<const NativeHandle> handles,
                                                         Deadline deadline);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE int select_instead(std::span<pollfd> waited, const timespec* left) {
    constexpr std::size_t word_bits = sizeof(unsigned long) * CHAR_BIT;
    const int most = std::max_element(waited.begin(), waited.end(), [](const pollfd& a, const pollfd& b) {
                         return a.fd < b.fd;
                     })->fd;
    // The system takes a set of any length; fd_set alone ends at 1024.
    std::vector<unsigned long> set(
        (std::max)(sizeof(fd_set) / sizeof(unsigned long), static_cast<std::size_t>(most) / word_bits + 1));
    const auto word = [&](int fd) -> unsigned long& { return set[static_cast<std::size_t>(fd) / word_bits]; };
    const auto bit = [](int fd) { return 1UL << static_cast<std::size_t>(fd) % word_bits; };
    for (const pollfd& one : waited) word(one.fd) |= bit(one.fd);
    const int count =
        ::pselect(most + 1, reinterpret_cast<fd_set*>(set.data()), nullptr, nullptr, left, nullptr);
    // One that is closed is reported as ready, as ppoll() does.
    const bool some_closed = count < 0 && errno == EBADF;
    if (count < 0 && !some_closed) return count;
    for (pollfd& one : waited) {
        const bool ready = some_closed ? ::fcntl(one.fd, F_GETFD) < 0 : (word(one.fd) & bit(one.fd)) != 0;
        one.revents = ready ? POLLIN : 0;
    }
    return some_closed ? 1 : count;
}

MULTIPROCESSING_INLINE std::vector<std::size_t> wait_any(std::span<const NativeHandle> handles,
                                                         Deadline deadline) {
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
        const timespec* const most = deadline.never() ? nullptr : &left;
        int count = ::ppoll(waited, handles.size(), most, nullptr);
        if (count < 0 && errno == EINVAL) count = select_instead({waited, handles.size()}, most);
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

#endif // MULTIPROCESSING_BODIES
