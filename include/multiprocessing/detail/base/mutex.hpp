#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file mutex.hpp  The mutexes of this library, and the rule that nothing of the program's runs
/// under one of them.

#include <multiprocessing/detail/config.hpp>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Returns how many mutexes of the library this thread holds. Counted in checked builds only.
MULTIPROCESSING_VISIBLE inline int& held_mutexes() noexcept {
    static constinit thread_local int held = 0;
    return held;
}

/// A mutex that is counted in held_mutexes() while a thread holds it.
template <class Native>
class CountedMutex {
public:
    CountedMutex() = default;
    CountedMutex(const CountedMutex&) = delete;
    CountedMutex& operator=(const CountedMutex&) = delete;

    void lock() {
        native_.lock();
        ++held_mutexes();
        ++depth_;
    }
    bool try_lock() {
        if (!native_.try_lock()) return false;
        ++held_mutexes();
        ++depth_;
        return true;
    }
    void unlock() {
        --depth_;
        --held_mutexes();
        native_.unlock();
    }

    /// Called by the holder before the mutex is made again in place: it is no longer held.
    void forget() noexcept { held_mutexes() -= depth_; }

private:
    Native native_;
    int depth_ = 0; // guarded by native_
};

/// The mutex of every class of this library: a std::mutex, unless the build is a checked one.
using Mutex = std::conditional_t<checked_build, CountedMutex<std::mutex>, std::mutex>;
using RecursiveMutex =
    std::conditional_t<checked_build, CountedMutex<std::recursive_mutex>, std::recursive_mutex>;

/// Frees, in a forked child, a mutex that this thread held in the parent. (A recursive one bears
/// the id of the parent's thread, and cannot be unlocked.)
template <class AnyMutex>
void remake_in_child(AnyMutex& mutex) {
    if constexpr (checked_build) mutex.forget();
    new (&mutex) AnyMutex;
}

/// Stands where code of the program's is called, or something is written: a sink of the log, a
/// type's deserialization, a progress function. That may take long, use this library in its turn,
/// or wait for another thread that does; under a mutex of ours it would stop them all. It stands
/// where a process is started as well: a fork takes all mutexes, while its thread holds that of the
/// starts. A checked build ends here if this thread holds one.
inline void require_no_mutex() noexcept {
    if constexpr (checked_build) {
        if (held_mutexes() == 0) return;
        std::fputs(
            "multiprocessing: code of the program is called, a process started or the log written, under a "
            "mutex of the library\n",
            stderr);
        std::abort();
    }
}

} // namespace multiprocessing::inline v1::detail
