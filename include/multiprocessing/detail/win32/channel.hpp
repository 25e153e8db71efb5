#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file channel.hpp  Win32 twin: none is needed, as handles reach a child by its start.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

[[noreturn]] inline void throw_no_channel() {
    throw_error(std::make_error_code(std::errc::operation_not_supported),
                "there are no fork servers on Windows");
}

inline std::pair<Handle, Handle> make_channel() { throw_no_channel(); }

inline void send(const Handle&, std::span<const std::byte>, std::span<const NativeHandle>, const Deadline&) {
    throw_no_channel();
}

inline std::optional<Message> receive(const Handle&, const Deadline&) { throw_no_channel(); }

inline void shut(const Handle&) noexcept {}

} // namespace multiprocessing::inline v1::detail::platform
