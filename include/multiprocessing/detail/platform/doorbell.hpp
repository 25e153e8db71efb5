#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file doorbell.hpp  Contract: a bell that any thread or process rings, and that `wait_any` waits
/// for.
///
/// `ring()` never blocks and may be called from any thread; ringing twice before `silence()` is the
/// same as ringing once. `silence()` makes it quiet again; a waiter that wakes silences the bell
/// *before* it looks at what it was rung for, so that nothing is missed. `handle()` is what to wait
/// for. Throws `std::system_error` when it cannot be made.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/doorbell.hpp>
#else
#include <multiprocessing/detail/posix/doorbell.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(Doorbell bell, const Doorbell& quiet, Handle adopted) {
    Doorbell{};
    Doorbell{static_cast<Handle&&>(adopted)}; // the end that another process passed
    { bell.ring() } noexcept -> std::same_as<void>;
    { bell.silence() } noexcept -> std::same_as<void>;
    { quiet.handle() } noexcept -> std::same_as<const Handle&>;
});

} // namespace multiprocessing::inline v1::detail::platform
