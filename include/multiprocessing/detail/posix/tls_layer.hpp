#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tls_layer.hpp  One end of a TLS connection in memory, by OpenSSL: what the twin of tls.hpp
/// opens.
///
/// OpenSSL reads and writes bytes in memory only, so that no call of it waits, and one mutex can
/// stand around all of them: the object of a connection is of one thread at a time.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/tls_objects.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace multiprocessing::inline v1::detail::platform {

class TlsLayer final : public ByteLayer {
public:
    /// A client connects to `host`. `authority_file`: for what is said of another's certificate.
    TlsLayer(SSL_CTX& context, bool is_server, const std::string& host, std::string authority_file);

    bool advance() override;
    void add(std::span<const std::byte> arrived) override;
    std::optional<std::size_t> read(std::span<std::byte> plain) override;
    bool has_something() override;
    void write(std::span<const std::byte> plain, std::vector<std::byte>& out) override;
    void close() noexcept override;

    /// Called by OpenSSL for each certificate of the other side, in the thread that advances.
    static int verify(int is_right, X509_STORE_CTX* store);

private:
    void expect(const std::string& host);
    std::string verdict(int error, X509* certificate) const;
    std::string failure() const;
    const char* other_side() const noexcept { return is_server_ ? "client" : "server"; }
    [[noreturn]] void fail(const std::string& why);

    const bool is_server_;
    const std::string host_;
    const std::string authority_file_;
    Mutex mutex_; // guards what follows
    TlsPointer<SSL, ::SSL_free> ssl_;
    BIO* arrived_ = nullptr; // both are the SSL object's
    BIO* to_send_ = nullptr;
    bool is_ready_ = false; // the handshake is done
    bool has_heard_ = false;
    bool has_read_ = false;
    bool has_failed_ = false;
    std::string verdict_; // on the certificate of the other side, if it is not accepted
};

inline TlsLayer::TlsLayer(SSL_CTX& context, bool is_server, const std::string& host, std::string authority_file)
    : is_server_(is_server),
      host_(host),
      authority_file_(std::move(authority_file)),
      ssl_(::SSL_new(&context)) {
    BioPointer arrived(::BIO_new(::BIO_s_mem()));
    BioPointer to_send(::BIO_new(::BIO_s_mem()));
    if (!ssl_ || !arrived || !to_send) throw_tls_error("making a connection");
    arrived_ = arrived.release();
    to_send_ = to_send.release();
    ::SSL_set_bio(ssl_.get(), arrived_, to_send_);
    if (::SSL_set_ex_data(ssl_.get(), 0, this) != 1) throw_tls_error("making a connection");
    if (is_server) {
        ::SSL_set_accept_state(ssl_.get());
    } else {
        ::SSL_set_connect_state(ssl_.get());
        expect(host);
    }
}

inline void TlsLayer::expect(const std::string& host) {
    X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(ssl_.get());
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return;
    ::ERR_clear_error();
    std::string name = host; // for the server, which may have several certificates
    if (host.empty() || ::X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) != 1 ||
        ::SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1)
        throw std::invalid_argument("multiprocessing: '" + host + "' is no name of a host");
}

inline void TlsLayer::fail(const std::string& why) {
    has_failed_ = true;
    if (!has_read_) throw AuthenticationError("multiprocessing: " + why);
    throw std::system_error(std::make_error_code(std::errc::protocol_error), "multiprocessing: " + why);
}

inline void TlsLayer::add(std::span<const std::byte> bytes) {
    const std::lock_guard lock{mutex_};
    if (bytes.empty() || has_failed_) return;
    if (!std::exchange(has_heard_, true)) {
        // All begins with a record of the handshake, or with one that says why there is none.
        const int kind = std::to_integer<int>(bytes.front());
        if (kind != SSL3_RT_HANDSHAKE && kind != SSL3_RT_ALERT) {
            has_failed_ = true;
            throw AuthenticationError(
                is_server_
                    ? "multiprocessing: a client does not speak TLS, as this server does: connect() it "
                      "with an .authority"
                    : "multiprocessing: the server does not speak TLS: give it .certificate and .key, or "
                      "leave out the .authority of this client");
        }
    }
    if (::BIO_write(arrived_, bytes.data(), static_cast<int>(bytes.size())) != static_cast<int>(bytes.size()))
        fail("taking the bytes of TLS failed: " + tls_reason());
}

inline bool TlsLayer::advance() {
    const std::lock_guard lock{mutex_};
    if (is_ready_) return true;
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_.get());
    if (result == 1) return is_ready_ = true;
    if (::SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
    fail(failure());
}

inline std::optional<std::size_t> TlsLayer::read(std::span<std::byte> plain) {
    constexpr std::size_t most_to_send = std::size_t{256} << 10;
    const std::lock_guard lock{mutex_};
    if (has_failed_) fail("the connection has failed before");
    ::ERR_clear_error();
    std::size_t size = 0;
    if (::SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &size) == 1) {
        has_read_ = true;
        return size;
    }
    switch (::SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
        // It answers to what it does not take, and could fill all memory by that.
        if (::BIO_ctrl_pending(to_send_) > most_to_send) fail("the other side asks, and takes no answer");
        return std::nullopt;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: fail(failure());
    }
}

inline bool TlsLayer::has_something() {
    const std::lock_guard lock{mutex_};
    if (has_failed_) return true;
    ::ERR_clear_error();
    char first = 0;
    std::size_t size = 0;
    if (::SSL_peek_ex(ssl_.get(), &first, 1, &size) == 1) return true;
    const int error = ::SSL_get_error(ssl_.get(), 0);
    if (error == SSL_ERROR_WANT_READ) return false;
    if (error != SSL_ERROR_ZERO_RETURN) has_failed_ = true;
    return true;
}

inline void TlsLayer::write(std::span<const std::byte> plain, std::vector<std::byte>& out) {
    const std::lock_guard lock{mutex_};
    if (!plain.empty()) {
        if (has_failed_ || !is_ready_)
            throw std::system_error(std::make_error_code(std::errc::broken_pipe),
                                    "multiprocessing: sending by TLS, after it has failed");
        ::ERR_clear_error();
        std::size_t size = 0;
        if (::SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &size) != 1 || size != plain.size()) {
            has_failed_ = true;
            throw std::system_error(std::make_error_code(std::errc::broken_pipe),
                                    "multiprocessing: sending by TLS failed: " + failure());
        }
    }
    const std::size_t pending = ::BIO_ctrl_pending(to_send_);
    if (pending == 0) return;
    const std::size_t had = out.size();
    out.resize(had + pending);
    const int taken = ::BIO_read(to_send_, out.data() + had, static_cast<int>(pending));
    out.resize(had + (taken > 0 ? static_cast<std::size_t>(taken) : 0));
}

inline void TlsLayer::close() noexcept {
    try {
        const std::lock_guard lock{mutex_};
        if (!is_ready_ || has_failed_) return;
        ::SSL_shutdown(ssl_.get());
        ::ERR_clear_error();
    } catch (const std::exception&) {} // then it ends without a word
}

inline int TlsLayer::verify(int is_right, X509_STORE_CTX* store) {
    if (is_right == 1) return 1;
    try {
        const void* const ssl = ::X509_STORE_CTX_get_ex_data(store, ::SSL_get_ex_data_X509_STORE_CTX_idx());
        auto& layer = *static_cast<TlsLayer*>(::SSL_get_ex_data(static_cast<const SSL*>(ssl), 0));
        layer.verdict_ =
            layer.verdict(::X509_STORE_CTX_get_error(store), ::X509_STORE_CTX_get_current_cert(store));
    } catch (const std::exception&) {} // it is refused all the same
    return 0;
}

/// Says why a certificate of the other side is not accepted, and what to do.
inline std::string TlsLayer::verdict(int error, X509* certificate) const {
    const std::string subject = certificate ? subject_of_certificate(certificate) : "";
    const std::string whose =
        std::string("the certificate of the ") + other_side() + (subject.empty() ? "" : " (" + subject + ")");
    switch (certificate ? error : X509_V_ERR_UNSPECIFIED) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
        const std::string names = names_of_certificate(certificate);
        return whose + " is for " + (names.empty() ? "no name" : names) + ", not for '" + host_ +
               "', to which this client connects: connect by a name that is in it, or have one made whose "
               "subjectAltName has this name";
    }
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return whose + " has expired, on " + text_of_time(::X509_get0_notAfter(certificate)) + ": give the " +
               other_side() + " a new one";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return whose + " is valid from " + text_of_time(::X509_get0_notBefore(certificate)) +
               " on: wait until then, or set the clock of this machine right";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return whose + " is not signed by the .authority, '" + authority_file_ +
               "': give the authority that has signed it";
    default:
        return whose + " is not accepted: " + ::X509_verify_cert_error_string(error) + ": give the " +
               other_side() + " another one";
    }
}

/// Says what has just failed, and what to do.
inline std::string TlsLayer::failure() const {
    if (!verdict_.empty()) return verdict_;
    const unsigned long error = ::ERR_peek_last_error();
    const std::string reason = tls_reason();
    switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the client shows no certificate: give it .certificate and .key that the .authority of this "
               "server, '" +
               authority_file_ + "', has signed";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return std::string("the ") + other_side() +
               " has no version of TLS in common with this side: 1.2 or "
               "later is needed";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: // another authority of the same name
        return std::string("the ") + other_side() + " does not accept what this side shows (" + reason + "): " +
               (is_server_ ? "its error says why"
                           : "give this client .certificate and .key that the server's .authority has signed");
    default: return std::string("TLS with the ") + other_side() + " has failed: " + reason;
    }
}

} // namespace multiprocessing::inline v1::detail::platform
