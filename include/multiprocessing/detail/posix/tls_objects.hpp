#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tls_objects.hpp  Objects of OpenSSL, and what it says: what the twin of tls.hpp is made
/// of.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace multiprocessing::inline v1::detail::platform {

template <auto Free>
struct TlsFree {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
template <class T, auto Free>
using TlsPointer = std::unique_ptr<T, TlsFree<Free>>;
using BioPointer = TlsPointer<BIO, ::BIO_free_all>;
using X509Pointer = TlsPointer<X509, ::X509_free>;

/// Returns what OpenSSL said last in this thread; empty: nothing.
inline std::string tls_reason() {
    const unsigned long error = ::ERR_peek_last_error();
    const char* const reason = error ? ::ERR_reason_error_string(error) : nullptr;
    return reason ? reason : "";
}

[[noreturn]] inline void throw_tls_error(const char* what) {
    throw std::runtime_error(std::string("multiprocessing: ") + what + " failed in OpenSSL: " + tls_reason());
}

/// Returns what `print(bio)` has written; empty if it could not.
template <class Print>
std::string tls_text(Print print) {
    const BioPointer bio(::BIO_new(::BIO_s_mem()));
    if (!bio || print(bio.get()) <= 0) return {};
    std::string text(::BIO_ctrl_pending(bio.get()), '\0');
    const int size = ::BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

/// Returns the names and addresses that a certificate is for: "DNS:localhost, IP
/// Address:127.0.0.1".
inline std::string names_of_certificate(X509* certificate) {
    const int place = ::X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
    if (place < 0) return {};
    return tls_text(
        [&](BIO* bio) { return ::X509V3_EXT_print(bio, ::X509_get_ext(certificate, place), 0, 0); });
}

inline std::string text_of_time(const ASN1_TIME* time) {
    return tls_text([&](BIO* bio) { return ::ASN1_TIME_print(bio, time); });
}

inline std::string subject_of_certificate(X509* certificate) {
    return tls_text([&](BIO* bio) {
        return ::X509_NAME_print_ex(bio, ::X509_get_subject_name(certificate), 0,
                                    XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
    });
}

} // namespace multiprocessing::inline v1::detail::platform
