#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tls.hpp  Contract: TLS over any stream of bytes.
///
/// * `require_tls()`: throws `std::logic_error`, which says what to do, where there is none.
/// * `TlsContext(side, credentials)`: what all connections of one side have in common. Throws
///   `std::invalid_argument`, which names the file, for what is no PEM, a key that is encrypted or
///   does not belong to the certificate, and an authority without certificates.
/// * `open(host)`: one end of a connection. A client accepts certificates of `host` (a name, or an
///   address of IPv4 or IPv6) only, of the authority it has. A server that has one accepts those
///   clients only that show a certificate of it. At least TLS 1.2; no sessions to resume, and
///   nothing is negotiated again. The layer outlives the context if need be.
///
/// Needs a library of its own (POSIX: OpenSSL's libssl; Windows has no twin that works yet): only
/// remote_managers.hpp includes this.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <memory>
#include <string>

namespace multiprocessing::inline v1::detail::platform {

enum class TlsSide { server, client };

/// What one side shows and trusts: what is in the files, in PEM format, and their names.
struct TlsCredentials {
    std::string certificate = {}; ///< Behind it those that lead to its authority, if need be.
    std::string certificate_file = {};
    std::string key = {}; ///< Of the certificate; both, or neither.
    std::string key_file = {};
    std::string authority = {}; ///< One or more certificates.
    std::string authority_file = {};

    bool empty() const noexcept { return certificate.empty() && key.empty() && authority.empty(); }
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/tls.hpp>
#else
#include <multiprocessing/detail/posix/tls.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const TlsContext& context, const TlsCredentials& credentials, const std::string& host) {
    require_tls();
    TlsContext(TlsSide::server, credentials);
    { context.open(host) } -> std::same_as<std::unique_ptr<ByteLayer>>;
});

} // namespace multiprocessing::inline v1::detail::platform
