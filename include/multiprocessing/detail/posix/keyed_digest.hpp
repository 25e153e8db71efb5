#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file keyed_digest.hpp  POSIX twin: libcrypto of OpenSSL.

#include <multiprocessing/detail/config.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace multiprocessing::inline v1::detail::platform {

inline const EVP_MD* digest_of_name(std::string_view name) noexcept {
    if (name == "md5") return ::EVP_md5();
    if (name == "sha256") return ::EVP_sha256();
    if (name == "sha384") return ::EVP_sha384();
    if (name == "sha3_256") return ::EVP_sha3_256();
    if (name == "sha3_384") return ::EVP_sha3_384();
    return nullptr;
}

inline std::string keyed_digest(std::string_view name, std::string_view key, std::string_view message) {
    const EVP_MD* const digest = digest_of_name(name);
    if (!digest) return {};
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    // An empty key must not be a null pointer, which means "that of before".
    if (!::HMAC(digest, key.empty() ? "" : key.data(), static_cast<int>(key.size()),
                reinterpret_cast<const unsigned char*>(message.data()), message.size(), result, &size)) {
        if (name == "md5") return {}; // not there where the system is bound to approved digests
        throw std::runtime_error("multiprocessing: HMAC-" + std::string(name) + " failed");
    }
    return {reinterpret_cast<const char*>(result), size};
}

inline bool equal_digests(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace multiprocessing::inline v1::detail::platform
