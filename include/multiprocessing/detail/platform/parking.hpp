#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parking.hpp  Contract: sleep until a word in shared memory changes, and wake the sleepers.
///
/// One `Parking` per mapping of shared memory. `base` is where the mapping lies here; `key` is a
/// random number that all processes which map it know, and nobody else.
/// * `sleep(word, expected, at_most)`: returns at once if `word` is not `expected`; else sleeps
///   until woken, until `at_most` passed, or for no reason at all. It returns nothing: the sleeper
///   looks at the state again.
/// * `wake_one(word)`, `wake_all(word)`: after the word was changed. A wake that nobody sleeps for
///   is lost, or is kept for one later sleeper, which then looks again in vain. (Windows: both wake
///   all whose word has changed, and in a crowd of sleepers that expect different values one may,
///   rarely, be overlooked. So no sleep may be long.) Returns whether a sleeper was there; Windows:
///   whether one may have been.
/// * `current_processor()`: where this thread runs, as a hint for spinning; costs a nanosecond.
/// * `pause()`: one beat of a spinning loop.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>

namespace multiprocessing::inline v1::detail::platform {

using Word = std::atomic<std::uint32_t>;
using ParkingKey = std::array<std::uint64_t, 2>;

static_assert(Word::is_always_lock_free && sizeof(Word) == 4);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/parking.hpp>
#else
#include <multiprocessing/detail/posix/parking.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(Parking& parking, const void* base, ParkingKey key, Word& word, std::uint32_t expected,
                       std::chrono::nanoseconds at_most) {
    Parking{base, key};
    { parking.sleep(word, expected, at_most) } -> std::same_as<void>;
    { parking.wake_one(word) } noexcept -> std::same_as<bool>;
    { parking.wake_all(word) } noexcept -> std::same_as<bool>;
    { current_processor() } noexcept -> std::same_as<std::uint32_t>;
    { pause() } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
