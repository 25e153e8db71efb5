#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file tls.hpp  Win32 twin: there is none yet.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/config.hpp>

#include <memory>
#include <stdexcept>
#include <string>

namespace multiprocessing::inline v1::detail::platform {

[[noreturn]] inline void require_tls() {
    throw std::logic_error("multiprocessing: .certificate, .key and .authority: managers have no TLS on "
                           "Windows yet: leave them out, and let a tunnel encrypt");
}

class TlsContext {
public:
    TlsContext(TlsSide, const TlsCredentials&) { require_tls(); }
    std::unique_ptr<ByteLayer> open(const std::string&) const { return nullptr; }
};

} // namespace multiprocessing::inline v1::detail::platform
