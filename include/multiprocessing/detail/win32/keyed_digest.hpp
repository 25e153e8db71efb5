#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file keyed_digest.hpp  Win32 twin: bcrypt.dll.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

extern "C" {
// <bcrypt.h> declares these without dllimport, and so must we.
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptCreateHash(void* algorithm, void** hash,
                                                             unsigned char* object, unsigned long object_size,
                                                             unsigned char* key, unsigned long key_size,
                                                             unsigned long flags);
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptHashData(void* hash, unsigned char* data, unsigned long size,
                                                           unsigned long flags);
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptFinishHash(void* hash, unsigned char* digest,
                                                             unsigned long size, unsigned long flags);
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptDestroyHash(void* hash);
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptOpenAlgorithmProvider(void** algorithm, const wchar_t* id,
                                                                        const wchar_t* implementation,
                                                                        unsigned long flags);
boost::winapi::LONG_ BOOST_WINAPI_WINAPI_CC BCryptCloseAlgorithmProvider(void* algorithm, unsigned long flags);
} // extern "C"

namespace multiprocessing::inline v1::detail::platform {

/// An algorithm with a key, and the digest in the making.
class KeyedHash {
public:
    KeyedHash(const wchar_t* id, std::string_view key) {
        constexpr unsigned long with_key = 8; // BCRYPT_ALG_HANDLE_HMAC_FLAG
        if (BCryptOpenAlgorithmProvider(&algorithm_, id, nullptr, with_key) < 0) return;
        auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(key.data()));
        if (BCryptCreateHash(algorithm_, &hash_, nullptr, 0, bytes, static_cast<unsigned long>(key.size()), 0) <
            0)
            hash_ = nullptr;
    }
    KeyedHash(const KeyedHash&) = delete;
    KeyedHash& operator=(const KeyedHash&) = delete;
    ~KeyedHash() {
        if (hash_) BCryptDestroyHash(hash_);
        if (algorithm_) BCryptCloseAlgorithmProvider(algorithm_, 0);
    }

    bool is_there() const noexcept { return hash_ != nullptr; }
    bool add(std::string_view message) noexcept {
        auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(message.data()));
        return BCryptHashData(hash_, bytes, static_cast<unsigned long>(message.size()), 0) >= 0;
    }
    bool finish(std::string& digest) noexcept {
        return BCryptFinishHash(hash_, reinterpret_cast<unsigned char*>(digest.data()),
                                static_cast<unsigned long>(digest.size()), 0) >= 0;
    }

private:
    void* algorithm_ = nullptr;
    void* hash_ = nullptr;
};

inline std::string keyed_digest(std::string_view name, std::string_view key, std::string_view message) {
    const wchar_t* const id = name == "md5"      ? L"MD5"
                              : name == "sha256" ? L"SHA256"
                              : name == "sha384" ? L"SHA384"
                                                 : nullptr;
    if (!id) return {}; // SHA-3 came with Windows 11
    KeyedHash hash{id, key};
    if (!hash.is_there()) return {};
    std::string digest(name == "md5" ? 16 : name == "sha256" ? 32 : 48, '\0');
    if (!hash.add(message) || !hash.finish(digest))
        throw std::runtime_error("multiprocessing: HMAC-" + std::string(name) + " failed");
    return digest;
}

inline bool equal_digests(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    unsigned char different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        // Volatile: the compiler may not leave the loop early.
        const volatile unsigned char difference = static_cast<unsigned char>(a[i] ^ b[i]);
        different = static_cast<unsigned char>(different | difference);
    }
    return different == 0;
}

} // namespace multiprocessing::inline v1::detail::platform
