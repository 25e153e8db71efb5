#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file keyed_digest.hpp  Contract: keyed digests (HMAC), and comparing them without telling how
/// far they agree.
///
/// * `keyed_digest(name, key, message)`: the HMAC by the digest of that name: md5, sha256, sha384,
///   sha3_256, sha3_384. Empty if this system does not have it. Throws `std::runtime_error` if it
///   fails otherwise.
/// * `equal_digests(a, b)`: takes the same time whatever they are, if they are of one length.
/// Needs a library of its own (POSIX: OpenSSL's libcrypto; Windows: bcrypt.dll): only optional
/// headers include this.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <string>
#include <string_view>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/keyed_digest.hpp>
#else
#include <multiprocessing/detail/posix/keyed_digest.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(std::string_view text) {
    { keyed_digest(text, text, text) } -> std::same_as<std::string>;
    { equal_digests(text, text) } noexcept -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
