#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file certificates.hpp  Authorities, certificates and keys in files, made for a test.

#include <multiprocessing/detail/platform/identity.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace process {

using KeyPointer = std::shared_ptr<EVP_PKEY>;
using CertificatePointer = std::shared_ptr<X509>;

inline void require_ok(bool is_ok) {
    if (!is_ok) throw std::runtime_error("making a certificate failed");
}

inline KeyPointer make_key() {
    KeyPointer made(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), ::EVP_PKEY_free);
    require_ok(made != nullptr);
    return made;
}

struct CertificateFacts {
    std::string name;       ///< Common name.
    std::string names = {}; ///< As "DNS:localhost, IP:127.0.0.1"; empty: an authority.
    long begins = -3600;    ///< Seconds from now on.
    long ends = 3600;
};

/// Of `own_key`, signed by the key of the issuer; its own, if there is none.
inline CertificatePointer make_certificate(const CertificateFacts& facts, EVP_PKEY& own_key, X509* issuer,
                                           EVP_PKEY& key_of_issuer) {
    CertificatePointer made(::X509_new(), ::X509_free);
    X509* const certificate = made.get();
    static long serial = 0;
    require_ok(::X509_set_version(certificate, 2) == 1);
    require_ok(::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), ++serial) == 1);
    require_ok(::X509_gmtime_adj(::X509_getm_notBefore(certificate), facts.begins) != nullptr);
    require_ok(::X509_gmtime_adj(::X509_getm_notAfter(certificate), facts.ends) != nullptr);
    require_ok(::X509_set_pubkey(certificate, &own_key) == 1);
    require_ok(::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                            reinterpret_cast<const unsigned char*>(facts.name.c_str()), -1, -1,
                                            0) == 1);
    require_ok(::X509_set_issuer_name(certificate, ::X509_get_subject_name(issuer ? issuer : certificate)) ==
               1);
    const auto extend = [&](int kind, const std::string& value) {
        X509V3_CTX context;
        ::X509V3_set_ctx(&context, issuer ? issuer : certificate, certificate, nullptr, nullptr, 0);
        X509_EXTENSION* const extension = ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
        require_ok(extension != nullptr);
        const int is_added = ::X509_add_ext(certificate, extension, -1);
        ::X509_EXTENSION_free(extension);
        require_ok(is_added == 1);
    };
    extend(NID_basic_constraints, facts.names.empty() ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!facts.names.empty()) extend(NID_subject_alt_name, facts.names);
    require_ok(::X509_sign(certificate, &key_of_issuer, ::EVP_sha256()) > 0);
    return made;
}

/// A directory with certificates, which goes with it.
class Papers {
public:
    struct Paper {
        std::filesystem::path certificate;
        std::filesystem::path key;
    };

    explicit Papers(const std::string& name_of_authority = "authority")
        : certificate_of_authority_(
              make_certificate({.name = name_of_authority}, *key_of_authority_, nullptr, *key_of_authority_)) {
        std::array<std::byte, 8> random;
        multiprocessing::detail::platform::fill_random(random);
        std::string name = "mp-test-papers-";
        for (const std::byte byte : random) name += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
        directory_ = std::filesystem::temp_directory_path() / name;
        std::filesystem::create_directory(directory_);
        authority = write_certificate(*certificate_of_authority_);
    }
    Papers(const Papers&) = delete;
    Papers& operator=(const Papers&) = delete;
    ~Papers() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    /// A certificate that the authority has signed.
    Paper sign(const CertificateFacts& facts) {
        const KeyPointer own_key = make_key();
        return {write_certificate(
                    *make_certificate(facts, *own_key, certificate_of_authority_.get(), *key_of_authority_)),
                write_key(*own_key)};
    }
    Paper server() { return sign({.name = "server", .names = "DNS:localhost, IP:127.0.0.1"}); }
    Paper client() { return sign({.name = "client", .names = "DNS:client"}); }

    std::filesystem::path write(const std::string& text) {
        const auto file = directory_ / (std::to_string(++files_) + ".pem");
        std::ofstream(file, std::ios::binary) << text;
        return file;
    }
    std::filesystem::path write_key(EVP_PKEY& own_key, const char* passphrase = nullptr) {
        return write(text_of([&](BIO* bio) {
            return ::PEM_write_bio_PrivateKey(bio, &own_key, passphrase ? ::EVP_aes_256_cbc() : nullptr,
                                              nullptr, 0, nullptr, const_cast<char*>(passphrase));
        }));
    }

    std::filesystem::path authority;

private:
    template <class Print>
    static std::string text_of(Print print) {
        const std::unique_ptr<BIO, int (*)(BIO*)> bio(::BIO_new(::BIO_s_mem()), ::BIO_free);
        require_ok(print(bio.get()) == 1);
        std::string text(::BIO_ctrl_pending(bio.get()), '\0');
        ::BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
        return text;
    }
    std::filesystem::path write_certificate(X509& certificate) {
        return write(text_of([&](BIO* bio) { return ::PEM_write_bio_X509(bio, &certificate); }));
    }

    std::filesystem::path directory_;
    int files_ = 0;
    KeyPointer key_of_authority_ = make_key();
    CertificatePointer certificate_of_authority_;
};

} // namespace process
