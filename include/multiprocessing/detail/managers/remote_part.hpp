#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_part.hpp  What a manager has of remote_managers.hpp, if its program includes that.

#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/server_process.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace multiprocessing::inline v1::detail {

/// How a type that is registered by name is to be constructed.
struct NamedCreation {
    std::string name;
    std::uint64_t signature; ///< Of the arguments, see wire_type.
    std::string text;        ///< The same for people.
    ThunkAddress entry;      ///< For a type without a list of methods.
};

class RemotePart {
public:
    virtual ~RemotePart() = default;
    /// Whether the server is another program's.
    virtual bool is_connected() const noexcept = 0;
    /// Whether the type, by the hash of its name, is registered so.
    virtual bool has_type(const std::string& name, std::uint64_t type) const = 0;
    /// What a server of this program's is given when it starts.
    virtual ServerSetup setup() const = 0;
    // Of another program's server:
    virtual std::shared_ptr<ProxyTarget> create(const NamedCreation& how, std::span<const std::byte> payload,
                                                const ProxyTargets& references) = 0;
    virtual std::size_t number_of_objects() = 0;
};

} // namespace multiprocessing::inline v1::detail
