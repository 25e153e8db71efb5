#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file hygiene.hpp  Every case proves that it left nothing behind: no child, thread, descriptor, shared-memory name.

namespace support {

/// How many cases left something behind; the listener has said what.
int hygiene_failures();

} // namespace support
