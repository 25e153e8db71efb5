#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_memory.hpp  Contract: how much memory a process has for itself.
///
/// It is counted as what would be free without that process: not what it shares with others, as
/// copies of a fork do, and no pages of files.
/// * `estimate_memory(pid)`: bytes, quick, and perhaps too many: what it shares may be counted.
/// * `measure_memory(pid)`: bytes, and a hundred times as slow.
/// nullopt if there is no such process, or the system does not say.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/process_memory.hpp>
#else
#include <multiprocessing/detail/posix/process_memory.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(int pid) {
    { estimate_memory(pid) } -> std::same_as<std::optional<std::uint64_t>>;
    { measure_memory(pid) } -> std::same_as<std::optional<std::uint64_t>>;
});

} // namespace multiprocessing::inline v1::detail::platform
