#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file sanitizers.hpp  Whether AddressSanitizer is built in, for what it does not let a test look at.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MP_TEST_HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MP_TEST_HAS_ASAN 1
#endif

namespace support {
#if defined(MP_TEST_HAS_ASAN)
inline constexpr bool has_asan = true;
#else
inline constexpr bool has_asan = false;
#endif
} // namespace support
