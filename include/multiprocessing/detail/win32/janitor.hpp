#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor.hpp  Win32 twin: named memory goes with its last handle, so there is nothing to
/// do.

#include <multiprocessing/detail/config.hpp>

#include <cstdint>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

inline constexpr bool names_outlive_processes = false;

inline std::uint64_t identity_of(const MemoryObject&) noexcept { return 0; }
inline bool is_of_process(std::uint64_t) noexcept { return false; }

[[noreturn]] MULTIPROCESSING_INLINE Handle reading_end(const Handle&);

inline bool child_has_ended(int) noexcept { return false; }
inline void leave_family() {}

inline void unlink_when_unused(const std::vector<std::uint64_t>&) {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Handle reading_end(const Handle&) {
    throw_error(std::make_error_code(std::errc::operation_not_supported), "Windows needs no janitor");
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
