#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file dict.hpp  DictProxy: a dict in a manager's server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/dict_body.hpp>
#include <multiprocessing/detail/managers/element_proxy.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/shown_value.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::managers {

/// A handle of a dict in a manager's server, which keeps the order of insertion. Each member is one
/// call, and one step for all clients. A missing key is `std::out_of_range`. Python: `DictProxy`.
template <class K, class V>
class DictProxy : public detail::ProxyBase<DictProxy<K, V>, detail::DictBody<K, V>> {
    using Body = detail::DictBody<K, V>;

public:
    DictProxy() = default; // refers to nothing: to be assigned to

    using key_type = K;
    using mapped_type = V;
    using value_type = std::pair<K, V>;
    using Element = detail::ElementProxy<DictProxy, K, V>;

    /// Returns what reads, assigns and changes the value of the key: `d[k] = v`, `V v = d[k]`,
    /// `d[k] += 1`, which is one step in the server. There integers wrap; a division by zero, a
    /// shift or a conversion that has no result throws.
    Element operator[](K key) const { return {*this, std::move(key)}; }
    V at(const K& key) const { return this->template invoke<&Body::at>(key); }
    /// Returns nullopt, or the default, where the key is missing. Python: `get(key, default)`.
    std::optional<V> get(const K& key) const { return this->template invoke<&Body::get>(key); }
    V get(const K& key, V otherwise) const {
        auto value = get(key);
        return value ? std::move(*value) : std::move(otherwise);
    }
    void set(const K& key, const V& value) const { this->template invoke<&Body::set>(key, value); }
    /// Inserts the value if the key is missing; returns whether it was.
    bool insert(const K& key, const V& value) const { return this->template invoke<&Body::insert>(key, value); }
    /// Returns the value of the key, inserted if it was missing. Python: `setdefault(key,
    /// default)`.
    V setdefault(const K& key, const V& value) const {
        return this->template invoke<&Body::setdefault>(key, value);
    }
    bool contains(const K& key) const { return this->template invoke<&Body::contains>(key); }
    /// Erases the key; returns whether it was there. Python: `del d[key]`.
    bool erase(const K& key) const { return this->template invoke<&Body::erase>(key); }
    /// Erases the key and returns its value.
    V pop(const K& key) const {
        auto value = this->template invoke<&Body::take>(key);
        if (!value) throw std::out_of_range("multiprocessing: pop() of a dict that has no such key");
        return std::move(*value);
    }
    V pop(const K& key, V otherwise) const {
        auto value = this->template invoke<&Body::take>(key);
        return value ? std::move(*value) : std::move(otherwise);
    }
    /// Erases the item that was inserted last, and returns it.
    std::pair<K, V> popitem() const { return this->template invoke<&Body::popitem>(); }

    /// Sets all items of a range of pairs, a map or another dict, in one step.
    template <std::ranges::input_range Items>
    void update(Items&& items) const {
        typename Body::Items list;
        for (const auto& [key, value] : items) list.emplace_back(key, value);
        this->template invoke<&Body::update>(std::move(list));
    }
    void update(std::vector<std::pair<K, V>> items) const {
        this->template invoke<&Body::update>(std::move(items));
    }
    template <std::ranges::input_range Items>
    const DictProxy& operator|=(Items&& items) const {
        update(std::forward<Items>(items));
        return *this;
    }
    /// Returns a copy with the items of the other; the dict stays as it is.
    template <std::ranges::input_range Items>
    detail::LocalDict<K, V> operator|(Items&& items) const {
        auto result = copy();
        for (const auto& [key, value] : items) result.insert_or_assign(key, value);
        return result;
    }

    /// Calls `function(V&, arguments...)` on the value of the key, in the server, in one step, and
    /// returns what it returns. The function crosses as one that a Process is given does. What it
    /// has changed when it throws stays changed.
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, V&, detail::OwnCarriedType<Arguments>...>
    auto update_with(const K& key, Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            key, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    /// The same, where a missing key has the value `initial` before.
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, V&, detail::OwnCarriedType<Arguments>...>
    auto update_with(const K& key, const V& initial, Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with_initial<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            key, initial, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

    /// In order of insertion, as they are now.
    std::vector<K> keys() const { return this->template invoke<&Body::keys>(); }
    std::vector<V> values() const { return this->template invoke<&Body::values>(); }
    std::vector<std::pair<K, V>> items() const { return this->template invoke<&Body::items>(); }
    std::size_t size() const { return this->template invoke<&Body::size>(); }
    bool empty() const { return size() == 0; }
    void clear() const { this->template invoke<&Body::clear>(); }
    /// Returns the items as a map of this process. Python: `copy()`, `_getvalue()`.
    detail::LocalDict<K, V> copy() const {
        detail::LocalDict<K, V> result;
        for (auto& [key, value] : items()) result.emplace(std::move(key), std::move(value));
        return result;
    }

    /// Returns a map of this process with the keys, which all have the value. Python: `fromkeys`.
    template <std::ranges::input_range Keys>
    static detail::LocalDict<K, V> fromkeys(const Keys& keys, const V& value = {}) {
        detail::LocalDict<K, V> result;
        for (const auto& key : keys) result.insert_or_assign(K(key), value);
        return result;
    }
    static detail::LocalDict<K, V> fromkeys(std::initializer_list<K> keys, const V& value = {}) {
        return fromkeys(std::vector<K>(keys), value);
    }
    /// Returns the keys, the last inserted first. Python: `reversed(d)`.
    std::vector<K> reversed() const {
        auto result = keys();
        std::reverse(result.begin(), result.end());
        return result;
    }
    /// Returns the items as text, as Python shows them. Python: `str(d)`.
    std::string str() const {
        return detail::shown_items(items(), "{", "}", [](const auto& item) {
            return detail::shown_value(item.first) + ": " + detail::shown_value(item.second);
        });
    }

    /// Iterates over the items as they are when it begins: `for (auto [key, value] : d)`.
    detail::Snapshot<std::pair<K, V>> begin() const { return detail::Snapshot<std::pair<K, V>>(items()); }
    std::default_sentinel_t end() const { return {}; }

private:
    template <class, class, class>
    friend class detail::ElementProxy;
    friend detail::ProxyBase<DictProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"DictProxy", "dict"}; }
    explicit DictProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<DictProxy, Body>(std::move(received)) {}

    template <detail::Compound Operation, class Operand>
    V compound(const K& key, const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                key, operand);
    }
};

} // namespace multiprocessing::inline v1::managers
