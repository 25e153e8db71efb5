#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  Win32 twin: none is needed, as handles reach a child by its start.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

[[noreturn]] MULTIPROCESSING_INLINE void throw_no_channel();

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_channel();

MULTIPROCESSING_INLINE void send(const Handle&, std::span<const std::byte>, std::span<const NativeHandle>,
                                 const Deadline&);

MULTIPROCESSING_INLINE std::optional<Message> receive(const Handle&, const Deadline&);

inline void shut(const Handle&) noexcept {}

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void throw_no_channel() {
    throw_error(std::make_error_code(std::errc::operation_not_supported),
                "there are no fork servers on Windows");
}

MULTIPROCESSING_INLINE std::pair<Handle, Handle> make_channel() { throw_no_channel(); }

MULTIPROCESSING_INLINE void send(const Handle&, std::span<const std::byte>, std::span<const NativeHandle>,
                                 const Deadline&) {
    throw_no_channel();
}

MULTIPROCESSING_INLINE std::optional<Message> receive(const Handle&, const Deadline&) { throw_no_channel(); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
