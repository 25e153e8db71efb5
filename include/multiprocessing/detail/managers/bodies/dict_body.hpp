#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file dict_body.hpp  A managed dict, in the server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

template <class K>
concept HashedKey = requires(const K& key) {
    { std::hash<K>{}(key) } -> std::convertible_to<std::size_t>;
    { key == key } -> std::convertible_to<bool>;
};
template <class K>
concept OrderedKey = requires(const K& key) {
    { key < key } -> std::convertible_to<bool>;
};

/// What a local copy of a dict is: sorted where keys can be.
template <class K, class V>
using LocalDict = std::conditional_t<OrderedKey<K>, std::map<K, V>, std::unordered_map<K, V>>;

/// A dict that keeps the order of insertion, as Python's. Each method is one step for its clients.
template <class K, class V>
class DictBody {
public:
    using multiprocessing_brief = void;
    using Items = std::vector<std::pair<K, V>>;

    DictBody() = default;
    explicit DictBody(Items items) { update(std::move(items)); }

    V at(const K& key) const { return find(key)->second; }
    std::optional<V> get(const K& key) const {
        const auto found = index_.find(key);
        return found == index_.end() ? std::nullopt : std::optional<V>(found->second->second);
    }
    void set(K key, V value) { put(std::move(key), std::move(value), true); }
    /// Returns false, and changes nothing, if the key is there.
    bool insert(K key, V value) { return put(std::move(key), std::move(value), false); }
    V setdefault(K key, V value) {
        if (auto known = get(key)) return std::move(*known);
        put(std::move(key), value, false);
        return value;
    }
    bool contains(const K& key) const { return index_.find(key) != index_.end(); }
    bool erase(const K& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return false;
        items_.erase(found->second);
        index_.erase(found);
        return true;
    }
    std::optional<V> take(const K& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return std::nullopt;
        std::optional<V> value(std::move(found->second->second));
        items_.erase(found->second);
        index_.erase(found);
        return value;
    }
    /// The last that was inserted.
    std::pair<K, V> popitem() {
        if (items_.empty()) throw std::out_of_range("multiprocessing: popitem() of an empty dict");
        std::pair<K, V> last = std::move(items_.back());
        index_.erase(last.first);
        items_.pop_back();
        return last;
    }
    void update(Items items) {
        for (auto& [key, value] : items) put(std::move(key), std::move(value), true);
    }
    std::vector<K> keys() const {
        std::vector<K> result;
        result.reserve(items_.size());
        for (const auto& [key, value] : items_) result.push_back(key);
        return result;
    }
    std::vector<V> values() const {
        std::vector<V> result;
        result.reserve(items_.size());
        for (const auto& [key, value] : items_) result.push_back(value);
        return result;
    }
    Items items() const { return {items_.begin(), items_.end()}; }
    std::size_t size() const { return items_.size(); }
    void clear() {
        index_.clear();
        items_.clear();
    }

    template <Compound Operation, class Operand>
    V compound(const K& key, const Operand& operand) {
        V& value = find(key)->second;
        apply_compound<Operation>(value, operand);
        return value;
    }
    template <class F, class... A>
    auto update_with(const K& key, F function, A... arguments) {
        return function(find(key)->second, std::move(arguments)...);
    }
    /// The same, of `initial` where the key is missing.
    template <class F, class... A>
    auto update_with_initial(K key, V initial, F function, A... arguments) {
        put(key, std::move(initial), false);
        return function(find(key)->second, std::move(arguments)...);
    }

private:
    using List = std::list<std::pair<K, V>>;
    using Index = std::conditional_t<HashedKey<K>, std::unordered_map<K, typename List::iterator>,
                                     std::map<K, typename List::iterator>>;

    typename List::iterator find(const K& key) const {
        const auto found = index_.find(key);
        if (found == index_.end()) throw std::out_of_range("multiprocessing: a dict has no such key");
        return found->second;
    }
    bool put(K key, V value, bool replaces) {
        const auto [at, is_new] = index_.try_emplace(key, items_.end());
        if (!is_new) {
            if (replaces) at->second->second = std::move(value);
            return false;
        }
        try {
            at->second = items_.insert(items_.end(), {std::move(key), std::move(value)});
        } catch (...) {
            index_.erase(at);
            throw;
        }
        return true;
    }

    List items_;
    Index index_;
};

} // namespace multiprocessing::inline v1::detail
