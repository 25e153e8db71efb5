#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file proxy.hpp  Proxy: an object of a class of the program's, held in a manager's server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>

#include <utility>

namespace multiprocessing::inline v1::managers {

/// A handle of an object of the program's class `T` in a manager's server:
/// `manager.create<T>(...)`.
///
/// Calls of one object run one at a time, in the order in which they came, so T need not know of
/// threads; one that waits holds up the callers of its object only. What goes there and back
/// **must** be Serializable, or a proxy of the same manager, or hold those. The object lives as
/// long as any proxy of it. Python: what a method of a `BaseManager` returns for a registered type.
template <class T>
class Proxy : public detail::ProxyBase<Proxy<T>, T> {
public:
    Proxy() = default; // refers to nothing: to be assigned to

    /// Calls `(object.*Method)(arguments...)` in the server, and returns what it returns: a copy,
    /// where that is a reference. An exception of the method is thrown here, see remote_cause().
    /// Throws EOFError if the server is lost, ProcessError after shutdown().
    template <auto Method, class... Arguments>
    auto call(Arguments&&... arguments) const {
        return this->template invoke<Method>(std::forward<Arguments>(arguments)...);
    }

private:
    friend detail::ProxyBase<Proxy<T>, T>;
    friend class BaseManager; // makes it
    explicit Proxy(detail::ReceivedProxy received) : detail::ProxyBase<Proxy<T>, T>(std::move(received)) {}
};

} // namespace multiprocessing::inline v1::managers
