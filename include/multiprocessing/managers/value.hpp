#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file value.hpp  ValueProxy, ArrayProxy: values in a manager's server.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/bodies/value_body.hpp>
#include <multiprocessing/detail/managers/element_proxy.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::managers {

/// A handle of a value in a manager's server. Python: `ValueProxy`.
template <class T>
class ValueProxy : public detail::ProxyBase<ValueProxy<T>, detail::ValueBody<T>> {
    using Body = detail::ValueBody<T>;
    using Compound = detail::Compound;

public:
    ValueProxy() = default; // refers to nothing: to be assigned to

    T get() const { return this->template invoke<&Body::get>(); }
    T value() const { return get(); }
    void set(const T& value) const { this->template invoke<&Body::set>(value); }

    // One step in the server each; they return the new value.
    template <class Operand>
    T operator+=(const Operand& operand) const {
        return compound<Compound::add>(operand);
    }
    template <class Operand>
    T operator-=(const Operand& operand) const {
        return compound<Compound::subtract>(operand);
    }
    template <class Operand>
    T operator*=(const Operand& operand) const {
        return compound<Compound::multiply>(operand);
    }
    template <class Operand>
    T operator/=(const Operand& operand) const {
        return compound<Compound::divide>(operand);
    }
    /// Calls `function(T&, arguments...)` in the server, in one step, and returns what it returns.
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

private:
    friend detail::ProxyBase<ValueProxy, Body>;
    friend class BaseManager; // makes it
    explicit ValueProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<ValueProxy, Body>(std::move(received)) {}

    template <Compound Operation, class Operand>
    T compound(const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                operand);
    }
};

/// A handle of an array of fixed length in a manager's server. Indexes may be negative, then they
/// count from the end. Python: `ArrayProxy`.
template <class T>
class ArrayProxy : public detail::ProxyBase<ArrayProxy<T>, detail::ListBody<T>> {
    using Body = detail::ListBody<T>;

public:
    ArrayProxy() = default; // refers to nothing: to be assigned to

    using value_type = T;
    using Index = std::int64_t;
    using Element = detail::ElementProxy<ArrayProxy, Index, T>;

    Element operator[](Index index) const { return {*this, index}; }
    T at(Index index) const { return this->template invoke<&Body::at>(index); }
    void set(Index index, const T& value) const { this->template invoke<&Body::set>(index, value); }
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(Index index, Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            index, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    std::size_t size() const { return this->template invoke<&Body::size>(); }
    std::vector<T> slice(std::optional<Index> begin, std::optional<Index> end, Index step = 1) const {
        return this->template invoke<&Body::slice>(detail::ListSlice{begin, end, step});
    }
    std::vector<T> copy() const { return this->template invoke<&Body::copy>(); }
    detail::Snapshot<T> begin() const { return detail::Snapshot<T>(copy()); }
    std::default_sentinel_t end() const { return {}; }

private:
    template <class, class, class>
    friend class detail::ElementProxy;
    friend detail::ProxyBase<ArrayProxy, Body>;
    friend class BaseManager; // makes it
    explicit ArrayProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<ArrayProxy, Body>(std::move(received)) {}

    template <detail::Compound Operation, class Operand>
    T compound(Index index, const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                index, operand);
    }
};

} // namespace multiprocessing::inline v1::managers
