#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file watchdog.hpp  A deadlock becomes a failure that says who waits for what.

namespace support {

/// Ends this process with 124 after 200 s (or MP_TEST_SECONDS), having printed the stacks of it and its children.
void start_watchdog();

} // namespace support
