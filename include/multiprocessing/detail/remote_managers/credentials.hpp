#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file credentials.hpp  What a manager's options say about TLS: the files are read, and checked
/// before there is a process or a socket.

#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/tls.hpp>
#include <multiprocessing/managers/options.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

namespace multiprocessing::inline v1::detail {

/// Returns what is in `file`, which `option` names. Throws `std::system_error` if it cannot be
/// read.
inline std::string read_pem(const std::filesystem::path& file, const char* option) {
    constexpr std::size_t most = std::size_t{1} << 20;
    const std::string name = "'" + file.string() + "' (" + option + ")";
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    std::string text(most, '\0');
    if (stream) stream.read(text.data(), static_cast<std::streamsize>(most));
    if (!stream.is_open() || stream.bad()) {
        const int reason = errno ? errno : EIO;
        throw std::system_error(reason, std::generic_category(),
                                "multiprocessing: reading " + name + ", which is to be a file in PEM format");
    }
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.empty())
        throw std::invalid_argument("multiprocessing: " + name + " is empty: give a file in PEM format");
    if (text.size() == most)
        throw std::invalid_argument("multiprocessing: " + name +
                                    " has a MiB or more: give a file in PEM format");
    return text;
}

/// Reads the files of the options, all of which may be missing. Throws, with the name of the file,
/// if one cannot be read, or is not what it is to be; `std::logic_error` where there is no TLS.
inline platform::TlsCredentials credentials_of(const managers::ManagerOptions& options) {
    platform::TlsCredentials credentials;
    if (options.certificate.empty() && options.key.empty() && options.authority.empty()) return credentials;
    platform::require_tls();
    if (options.certificate.empty() != options.key.empty()) {
        const bool has_key = options.certificate.empty();
        throw std::invalid_argument(
            std::string("multiprocessing: a manager has ") + (has_key ? ".key '" : ".certificate '") +
            (has_key ? options.key : options.certificate).string() + "', and no " +
            (has_key ? ".certificate" : ".key") + ": a certificate is shown with its key: give both");
    }
    const auto read = [](const std::filesystem::path& file, const char* option, std::string& text,
                         std::string& name) {
        if (file.empty()) return;
        text = read_pem(file, option);
        name = file.string();
    };
    read(options.certificate, ".certificate", credentials.certificate, credentials.certificate_file);
    read(options.key, ".key", credentials.key, credentials.key_file);
    read(options.authority, ".authority", credentials.authority, credentials.authority_file);
    const platform::TlsContext checked(platform::TlsSide::client, credentials);
    return credentials;
}

/// What all connections of a server, or a client, have in common; null: they are plain.
using SharedTlsContext = std::shared_ptr<const platform::TlsContext>;

inline SharedTlsContext server_context(const platform::TlsCredentials& credentials) {
    if (credentials.empty()) return nullptr;
    if (credentials.certificate.empty())
        throw std::invalid_argument("multiprocessing: a manager's server has .authority '" +
                                    credentials.authority_file +
                                    "' for its clients, and no .certificate of its own: give it "
                                    ".certificate and .key, or leave all three out");
    return std::make_shared<platform::TlsContext>(platform::TlsSide::server, credentials);
}

inline SharedTlsContext client_context(const platform::TlsCredentials& credentials) {
    if (credentials.empty()) return nullptr;
    if (credentials.authority.empty())
        throw std::invalid_argument("multiprocessing: a manager that connects has .certificate '" +
                                    credentials.certificate_file +
                                    "', and no .authority by which it knows the server: give the certificate "
                                    "of the authority that has signed the server's, or leave all three out");
    return std::make_shared<platform::TlsContext>(platform::TlsSide::client, credentials);
}

/// Returns the name for which a server that is found at `endpoint` has a certificate.
inline std::string host_to_verify(const platform::Endpoint& endpoint) {
    return endpoint.is_network() && !endpoint.host.empty() ? endpoint.host : "localhost";
}

} // namespace multiprocessing::inline v1::detail
