#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file managers.hpp  Managers: objects in a server process that other processes use by proxies.
/// Python: `multiprocessing.managers`.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/managers/base_manager.hpp>
#include <multiprocessing/managers/dict.hpp>
#include <multiprocessing/managers/options.hpp>
#include <multiprocessing/managers/proxy.hpp>

#include <concepts>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace managers {

/// A manager of containers and of objects of any class. `Manager()` gives one that is started.
/// Python: `multiprocessing.managers.SyncManager`.
class SyncManager : public BaseManager {
public:
    explicit SyncManager(ManagerOptions options = {}) : BaseManager(std::move(options), "SyncManager") {}

    /// Makes a dict: empty, of items in braces, or of a map. Python: `manager.dict()`.
    template <class K, class V>
    DictProxy<K, V> dict(std::initializer_list<std::pair<K, V>> items = {}) const {
        return make<DictProxy<K, V>, detail::DictBody<K, V>>(std::vector<std::pair<K, V>>(items));
    }
    template <class K, class V, std::ranges::input_range Items>
    DictProxy<K, V> dict(const Items& items) const {
        std::vector<std::pair<K, V>> list;
        for (const auto& [key, value] : items) list.emplace_back(key, value);
        return make<DictProxy<K, V>, detail::DictBody<K, V>>(std::move(list));
    }
};

} // namespace managers

/// Returns a started manager; `Manager(initializer, arguments...)` and
/// `Manager({.max_calls = 8}, initializer, arguments...)` call the initializer in its server first.
/// Python: `multiprocessing.Manager()`.
inline managers::SyncManager Manager(managers::ManagerOptions options = {}) {
    managers::SyncManager manager(std::move(options));
    manager.start();
    return manager;
}
template <class Initializer, class... Arguments>
managers::SyncManager Manager(managers::ManagerOptions options, Initializer&& initializer, Arguments&&... arguments) {
    managers::SyncManager manager(std::move(options));
    manager.start(std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...);
    return manager;
}
template <class Initializer, class... Arguments>
    requires(!std::same_as<std::decay_t<Initializer>, managers::ManagerOptions>)
managers::SyncManager Manager(Initializer&& initializer, Arguments&&... arguments) {
    return Manager(managers::ManagerOptions{}, std::forward<Initializer>(initializer),
                   std::forward<Arguments>(arguments)...);
}

} // namespace multiprocessing::inline v1
