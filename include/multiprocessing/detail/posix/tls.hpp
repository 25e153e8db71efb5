#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tls.hpp  POSIX twin: libssl of OpenSSL.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/tls_layer.hpp>
#include <multiprocessing/detail/posix/tls_objects.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace multiprocessing::inline v1::detail::platform {

inline void require_tls() {}

class TlsContext {
public:
    TlsContext(TlsSide side, const TlsCredentials& credentials);

    std::unique_ptr<ByteLayer> open(const std::string& host) const {
        return std::make_unique<TlsLayer>(*context_, side_ == TlsSide::server, host, authority_file_);
    }

private:
    void set_up();
    void use_certificate(const TlsCredentials& credentials);
    void use_authority(const TlsCredentials& credentials);

    const TlsSide side_;
    const std::string authority_file_;
    TlsPointer<SSL_CTX, ::SSL_CTX_free> context_;
};

/// Throws `std::invalid_argument` about what is in a file, with what OpenSSL says of it.
[[noreturn]] inline void throw_tls_file_error(const std::string& file, const std::string& what) {
    const std::string reason = tls_reason();
    throw std::invalid_argument("multiprocessing: '" + file + "' " + what +
                                (reason.empty() ? "" : " (" + reason + ")"));
}

inline BioPointer bio_of(std::string_view text) {
    BioPointer bio(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (!bio) throw_tls_error("reading a certificate");
    return bio;
}

/// Returns the next certificate; null at the end.
inline X509Pointer read_certificate(BIO& bio, const std::string& file) {
    ::ERR_clear_error();
    X509Pointer certificate(::PEM_read_bio_X509(&bio, nullptr, nullptr, nullptr));
    if (!certificate && ERR_GET_REASON(::ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        throw_tls_file_error(file, "has a certificate that cannot be read: write it anew");
    return certificate;
}

/// Asked for a passphrase, it has none: a server must not wait for somebody at a terminal.
inline int note_encryption(char*, int, int, void* is_encrypted) {
    *static_cast<bool*>(is_encrypted) = true;
    return -1;
}

inline TlsContext::TlsContext(TlsSide side, const TlsCredentials& credentials)
    : side_(side), authority_file_(credentials.authority_file) {
    ::ERR_clear_error();
    context_.reset(::SSL_CTX_new(side == TlsSide::server ? ::TLS_server_method() : ::TLS_client_method()));
    if (!context_) throw_tls_error("making a context");
    set_up();
    if (!credentials.certificate.empty()) use_certificate(credentials);
    if (!credentials.authority.empty()) use_authority(credentials);
    ::ERR_clear_error();
}

inline void TlsContext::set_up() {
    SSL_CTX* const context = context_.get();
    // What the system's administrator asks for may be more.
    if (::SSL_CTX_ctrl(context, SSL_CTRL_GET_MIN_PROTO_VERSION, 0, nullptr) < TLS1_2_VERSION)
        ::SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
    ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    // A connection that nobody resumes needs no tickets, which would be unread when it is closed.
    ::SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, nullptr);
    ::SSL_CTX_set_num_tickets(context, 0);
    ::SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, nullptr);
    if (side_ == TlsSide::client) ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &TlsLayer::verify);
}

inline void TlsContext::use_certificate(const TlsCredentials& credentials) {
    const std::string& file = credentials.certificate_file;
    const BioPointer certificates = bio_of(credentials.certificate);
    const X509Pointer own = read_certificate(*certificates, file);
    if (!own) {
        ::ERR_clear_error();
        throw_tls_file_error(file, "(.certificate) holds no certificate in PEM format");
    }
    ::ERR_clear_error();
    if (::SSL_CTX_use_certificate(context_.get(), own.get()) != 1)
        throw_tls_file_error(file, "(.certificate) cannot be used: have a stronger one made");
    while (const X509Pointer next = read_certificate(*certificates, file)) {
        if (::SSL_CTX_ctrl(context_.get(), SSL_CTRL_CHAIN_CERT, 1, next.get()) != 1) // a reference more
            throw_tls_file_error(file, "(.certificate) holds another certificate that cannot be used");
    }
    ::ERR_clear_error();
    bool is_encrypted = false;
    const BioPointer text = bio_of(credentials.key);
    const TlsPointer<EVP_PKEY, ::EVP_PKEY_free> key(
        ::PEM_read_bio_PrivateKey(text.get(), nullptr, &note_encryption, &is_encrypted));
    if (is_encrypted)
        throw_tls_file_error(credentials.key_file, "(.key) is encrypted, and nobody is asked for its "
                                                   "passphrase: decrypt it, by `openssl pkey`");
    if (!key) {
        ::ERR_clear_error();
        throw_tls_file_error(credentials.key_file, "(.key) holds no private key in PEM format");
    }
    ::ERR_clear_error();
    if (::X509_check_private_key(own.get(), key.get()) != 1) {
        ::ERR_clear_error();
        throw_tls_file_error(credentials.key_file,
                             "(.key) does not belong to the certificate in '" + file +
                                 "' (.certificate): give the two that were made together");
    }
    if (::SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1)
        throw_tls_file_error(credentials.key_file, "(.key) cannot be used");
}

inline void TlsContext::use_authority(const TlsCredentials& credentials) {
    const std::string& file = credentials.authority_file;
    X509_STORE* const store = ::SSL_CTX_get_cert_store(context_.get());
    // Whoever is named is trusted, though another authority may have signed it in its turn.
    ::X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    const BioPointer certificates = bio_of(credentials.authority);
    bool has_some = false;
    while (const X509Pointer next = read_certificate(*certificates, file)) {
        has_some = true;
        if (::X509_STORE_add_cert(store, next.get()) != 1)
            throw_tls_file_error(file, "(.authority) holds a certificate that cannot be used");
        // So that a client with several certificates knows which one to show.
        if (side_ == TlsSide::server && ::SSL_CTX_add_client_CA(context_.get(), next.get()) != 1)
            throw_tls_file_error(file, "(.authority) holds a certificate that cannot be used");
    }
    if (!has_some) {
        ::ERR_clear_error();
        throw_tls_file_error(file, "(.authority) holds no certificate in PEM format");
    }
    if (side_ == TlsSide::server)
        ::SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                             &TlsLayer::verify);
}

} // namespace multiprocessing::inline v1::detail::platform
