#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file identity.hpp  POSIX twin: getpid, the environment, MADV_WIPEONFORK, pthread_atfork.

#include <multiprocessing/detail/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

using CopiedHandle = int;

MULTIPROCESSING_INLINE int current_pid() noexcept;

MULTIPROCESSING_INLINE std::uint64_t program_token() noexcept;

MULTIPROCESSING_INLINE std::string word(const char* name);

/// `text` is "NAME=value": putenv keeps the pointer, which is what lets a forked child correct it
/// in place.
inline void leave_word(const char*, char* text) { ::putenv(text); }

// <random> would have a random_device, and a tenth of what it takes to compile a program.
MULTIPROCESSING_INLINE void fill_random(std::span<std::byte> bytes);

MULTIPROCESSING_INLINE std::atomic<std::uint32_t>* fork_witness() noexcept;

inline void call_at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) {
    ::pthread_atfork(before, in_parent, in_child);
}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/error.hpp>

#include <cstdlib>
#include <cstring>
#include <new>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE int current_pid() noexcept { return static_cast<int>(::getpid()); }

MULTIPROCESSING_INLINE std::uint64_t program_token() noexcept {
    // The kernel gives every image 16 random bytes. They also seed the stack protector, so they may
    // not be shown: 128 bits are folded into 32, which cannot be undone.
    std::uint64_t random[2] = {};
    if (const auto* bytes = reinterpret_cast<const void*>(::getauxval(AT_RANDOM))) {
        std::memcpy(random, bytes, sizeof random);
    }
    std::uint64_t folded =
        random[0] * 0x9E3779B97F4A7C15u ^ (random[1] + 0x632BE59BD9B4E019u) * 0xBF58476D1CE4E5B9u;
    folded ^= folded >> 29;
    return (folded * 0x94D049BB133111EBu) >> 32;
}

MULTIPROCESSING_INLINE std::string word(const char* name) {
    const char* text = std::getenv(name);
    return text ? text : "";
}

MULTIPROCESSING_INLINE void fill_random(std::span<std::byte> bytes) {
    if (::getentropy(bytes.data(), bytes.size()) != 0) throw_last_error("asking for random bytes");
}

MULTIPROCESSING_INLINE std::atomic<std::uint32_t>* fork_witness() noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const memory = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    if (::madvise(memory, page, MADV_WIPEONFORK) == 0) return new (memory) std::atomic<std::uint32_t>{0};
    ::munmap(memory, page); // before Linux 4.14
    return nullptr;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
