#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file namespace.hpp  NamespaceProxy: values of any type, by name, in a manager's server.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/namespace_body.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::managers {

/// A handle of a Namespace in a manager's server. An attribute has the type that it was set as:
/// reading it as another is a SerializationError, one that is not there `std::out_of_range`.
/// Python: `NamespaceProxy`, where `ns.x = 1` is `ns.set("x", 1)` here.
class NamespaceProxy : public detail::ProxyBase<NamespaceProxy, detail::NamespaceBody> {
    using Body = detail::NamespaceBody;

public:
    NamespaceProxy() = default; // refers to nothing: to be assigned to

    /// Sets an attribute; text in the manner of C becomes a `std::string`.
    template <class T>
    void set(const std::string& name, T&& value) const {
        using Type = detail::OwnCarriedType<T>;
        invoke<&Body::template set<Type>>(name, std::forward<T>(value));
    }
    template <class T>
    T get(const std::string& name) const {
        return invoke<&Body::template get<T>>(name);
    }
    template <class T>
    T get(const std::string& name, T otherwise) const {
        try {
            return get<T>(name);
        } catch (const std::out_of_range&) { return otherwise; }
    }
    bool contains(const std::string& name) const { return invoke<&Body::contains>(name); }
    /// Erases the attribute; returns whether it was there. Python: `del ns.x`.
    bool erase(const std::string& name) const { return invoke<&Body::erase>(name); }
    std::vector<std::string> names() const { return invoke<&Body::names>(); }

    /// Calls `function(T&, arguments...)` on the attribute, in the server, in one step, and returns
    /// what it returns.
    template <class T, class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(const std::string& name, Function&& function, Arguments&&... arguments) const {
        return invoke<
            &Body::template update_with<T, std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            name, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

    /// Returns the attributes as text: `Namespace(x=10, y='hello')`. Python: `str(ns)`.
    std::string str() const { return invoke<&Body::text>(); }

private:
    friend detail::ProxyBase<NamespaceProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"NamespaceProxy", "Namespace"}; }
    explicit NamespaceProxy(detail::ReceivedProxy received) : ProxyBase(std::move(received)) {}
};

} // namespace multiprocessing::inline v1::managers
