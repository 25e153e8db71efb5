#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file proxy.hpp  Proxy: an object of a class of the program's, held in a manager's server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <string>
#include <utility>

namespace multiprocessing::inline v1::managers {

/// Names one of several methods of a name, by what it takes and returns:
/// `proxy.call<overload<int(int)>(&T::add)>(5)`. That of a const one is `overload<int(int) const>`.
/// In the list of register_type() as well.
template <class Signature>
struct Overload {
    template <class T>
    constexpr auto operator()(Signature T::*method) const noexcept {
        return method;
    }
};
template <class Signature>
inline constexpr Overload<Signature> overload{};

/// A handle of an object of the program's class `T` in a manager's server:
/// `manager.create<T>(...)`.
///
/// Calls of one object run one at a time, in the order in which they came, so T need not know of
/// threads; one that waits holds up the callers of its object only. A class that locks for itself
/// says `using multiprocessing_concurrent = void;`: then they run at once, each in a thread. What
/// goes there and back **must** be Serializable, or a proxy of the same manager, or hold those. The
/// object lives as long as any proxy of it.
///
/// Python: what a method of a `BaseManager` returns for a registered type.
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

    /// Returns a proxy of a member of the object: `member<&T::data>()`, or what the method returns
    /// a reference to. It keeps the object, and calls of the two run one at a time. Throws
    /// `std::invalid_argument` if the reference is to something else: an element of a vector is no
    /// member, as it moves. Python: `method_to_typeid` of `BaseManager.register`.
    template <auto Member, class... Arguments>
    auto member(Arguments&&... arguments) const {
        using Part = typename detail::PartOf<Member>::Part;
        return Proxy<Part>(
            detail::ReceivedProxy{this->template part<Member>(std::forward<Arguments>(arguments)...)});
    }

    /// Returns `<Counter object at 0x2>`. Python: `str(proxy)`.
    std::string str() const {
        return "<" + detail::readable(detail::spelled_name<T>()) + " object at " + this->place() + ">";
    }

private:
    static detail::ProxyNames python_names() { return {"Proxy", detail::readable(detail::spelled_name<T>())}; }
    template <class>
    friend class Proxy; // whose member it is
    friend detail::ProxyBase<Proxy<T>, T>;
    friend class BaseManager; // makes it
    explicit Proxy(detail::ReceivedProxy received) : detail::ProxyBase<Proxy<T>, T>(std::move(received)) {}
};

} // namespace multiprocessing::inline v1::managers
