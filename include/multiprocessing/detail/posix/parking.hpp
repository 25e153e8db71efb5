#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parking.hpp  POSIX twin: futex, never of the PRIVATE kind.

#include <multiprocessing/detail/config.hpp>

#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

class Parking {
public:
    Parking(const void*, ParkingKey) noexcept {} // the kernel knows a word by its page

    void sleep(const Word& word, std::uint32_t expected, std::chrono::nanoseconds at_most) const {
        timespec span;
        span.tv_sec = static_cast<time_t>(at_most.count() / 1'000'000'000);
        span.tv_nsec = static_cast<long>(at_most.count() % 1'000'000'000);
        ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &span, nullptr, 0);
    }
    bool wake_one(const Word& word) const noexcept { return wake(word, 1); }
    bool wake_all(const Word& word) const noexcept { return wake(word, INT_MAX); }

private:
    static bool wake(const Word& word, int count) noexcept {
        return ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0) > 0;
    }
};

inline std::uint32_t current_processor() noexcept { return static_cast<std::uint32_t>(::sched_getcpu()); }

inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

} // namespace multiprocessing::inline v1::detail::platform
