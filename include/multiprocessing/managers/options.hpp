#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file options.hpp  How a manager is made.

#include <multiprocessing/connection/address.hpp>
#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace multiprocessing::inline v1::managers {

/// How a manager is made. All members are optional. Those from `address` on are for managers that
/// other programs connect to, see remote_managers.hpp.
struct ManagerOptions {
    std::optional<StartMethod> start_method = {}; ///< Of the server. Default: get_start_method().
    /// Where other programs connect to. Default, where something is registered: a socket in a
    /// private directory of this user.
    std::optional<connection::Address> address = {};
    /// What both sides must know. Default: that of this process, as current_process().authkey().
    std::optional<std::string> authkey = {};
    /// How long shutdown() lets calls run on that run already, before it ends the server.
    Timeout shutdown_timeout = std::chrono::seconds{1};
    /// How many connections other programs may have; each of their threads that calls has one.
    /// Default: 256.
    Count max_clients = {};
    /// How many calls may run at once, each with a thread of the server; where all are in calls
    /// that take long, further calls throw `std::system_error`. Default: 256.
    Count max_calls = {};
    /// Bytes of one call, or answer, of another program. Longer ones are refused unread.
    std::size_t max_message = std::size_t{64} << 20;
    /// Bytes that one other program may keep in the server; beyond them its calls throw
    /// `std::system_error` (not_enough_memory).
    std::size_t max_memory_per_client = std::size_t{256} << 20;
    /// How long a call of another program may take; past it the caller has TimeoutError, while the
    /// method runs on.
    Timeout call_timeout = no_timeout;
    /// TLS, not on Windows: what this side shows of itself, a file in PEM format, with the
    /// certificates behind it that lead to its authority, if need be. A server that has one speaks
    /// TLS with all clients.
    std::filesystem::path certificate = {};
    /// The private key of the certificate, not encrypted: a file in PEM format. Both or neither.
    std::filesystem::path key = {};
    /// By which the other side is known: one or more certificates, a file in PEM format. A client
    /// that has it speaks TLS with a server whose certificate it has signed, for the host that the
    /// client connects to. A server that has it serves clients only whose certificate it has
    /// signed. The three files are read, and checked, when the first type is registered or the
    /// manager connects: `std::system_error` or `std::invalid_argument` with the name of the file.
    std::filesystem::path authority = {};
};

} // namespace multiprocessing::inline v1::managers
