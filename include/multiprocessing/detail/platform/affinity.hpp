#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file affinity.hpp  Contract: which processors a process runs on.
///
/// * `allowed_affinity()`: those that the calling thread may run on.
/// * `set_affinity(processors)`: those that the calling thread, and whatever it starts from then
///   on, runs on. Throws `std::system_error` if none of them is there.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1::detail::platform {

/// Numbers of processors. Crosses as bytes.
struct ProcessorSet {
    static constexpr std::size_t most = 1024;

    std::uint64_t words[most / 64] = {};

    void add(std::size_t processor) noexcept { words[processor / 64] |= std::uint64_t{1} << processor % 64; }
    bool has(std::size_t processor) const noexcept {
        return processor < most && (words[processor / 64] >> processor % 64 & 1) != 0;
    }
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/affinity.hpp>
#else
#include <multiprocessing/detail/posix/affinity.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const ProcessorSet& processors) {
    { allowed_affinity() } -> std::same_as<ProcessorSet>;
    { set_affinity(processors) } -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
