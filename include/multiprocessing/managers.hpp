#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file managers.hpp  Managers: objects in a server process that other processes use by proxies.
/// Python: `multiprocessing.managers`.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>
#include <multiprocessing/managers/base_manager.hpp>
#include <multiprocessing/managers/dict.hpp>
#include <multiprocessing/managers/list.hpp>
#include <multiprocessing/managers/locks.hpp>
#include <multiprocessing/managers/namespace.hpp>
#include <multiprocessing/managers/options.hpp>
#include <multiprocessing/managers/pool.hpp>
#include <multiprocessing/managers/proxy.hpp>
#include <multiprocessing/managers/queue.hpp>
#include <multiprocessing/managers/set.hpp>
#include <multiprocessing/managers/shared_memory_manager.hpp> // for SharedMemoryManager
#include <multiprocessing/managers/signals.hpp>
#include <multiprocessing/managers/value.hpp>

#include <concepts>
#include <cstddef>
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
    DictProxy<K, V> dict(Items&& items) const {
        std::vector<std::pair<K, V>> list;
        for (const auto& [key, value] : items) list.emplace_back(key, value);
        return make<DictProxy<K, V>, detail::DictBody<K, V>>(std::move(list));
    }
    /// Makes a list: empty, of elements in braces, or of a range. Python: `manager.list()`.
    template <class T>
    ListProxy<T> list(std::initializer_list<T> items = {}) const {
        return make<ListProxy<T>, detail::ListBody<T>>(std::vector<T>(items));
    }
    template <class T, std::ranges::input_range Items>
    ListProxy<T> list(Items&& items) const {
        return make<ListProxy<T>, detail::ListBody<T>>(detail::elements_of<T>(items));
    }
    /// Makes a set. Python 3.14: `manager.set()`.
    template <class T>
    SetProxy<T> set(std::initializer_list<T> items = {}) const {
        return make<SetProxy<T>, detail::SetBody<T>>(std::vector<T>(items));
    }
    template <class T, std::ranges::input_range Items>
    SetProxy<T> set(Items&& items) const {
        return make<SetProxy<T>, detail::SetBody<T>>(detail::elements_of<T>(items));
    }
    NamespaceProxy Namespace() const { return make<NamespaceProxy, detail::NamespaceBody>(); }

    /// Make a queue; `maxsize` 0 is without bound.
    template <class T>
    QueueProxy<T> Queue(Count maxsize = {}) const {
        return make<QueueProxy<T>, detail::QueueBody<T>>(maxsize.value());
    }
    template <class T>
    JoinableQueueProxy<T> JoinableQueue(Count maxsize = {}) const {
        return make<JoinableQueueProxy<T>, detail::QueueBody<T>>(maxsize.value());
    }
    LockProxy Lock() const { return make<LockProxy, detail::MonitorBody>(false); }
    RLockProxy RLock() const { return make<RLockProxy, detail::MonitorBody>(true); }
    ConditionProxy Condition() const { return make<ConditionProxy, detail::ManagedConditionBody>(); }
    /// Makes a condition with a lock of this manager. Of one that is no RLock, a thread waits and
    /// notifies that has acquired it itself.
    ConditionProxy Condition(const LockProxy& lock) const {
        return make<ConditionProxy, detail::ManagedConditionBody>(lock);
    }
    ConditionProxy Condition(const RLockProxy& lock) const {
        return make<ConditionProxy, detail::ManagedConditionBody>(lock);
    }
    SemaphoreProxy Semaphore(Count value = 1) const {
        return make<SemaphoreProxy, detail::ManagedSemaphoreBody>(value.value(), false);
    }
    BoundedSemaphoreProxy BoundedSemaphore(Count value = 1) const {
        return make<BoundedSemaphoreProxy, detail::ManagedSemaphoreBody>(value.value(), true);
    }
    EventProxy Event() const { return make<EventProxy, detail::ManagedEventBody>(); }
    /// Makes a Pool of the server's, for all clients; 0 processes are as many as a Pool has by
    /// itself. Python: `manager.Pool()`.
    PoolProxy Pool(Count processes = {}) const;
    BarrierProxy Barrier(Count parties) const;
    /// The same; the last to come calls `action()`, in the server, before all go on.
    template <class Action>
    BarrierProxy Barrier(Count parties, Action&& action) const {
        BarrierProxy barrier = Barrier(parties);
        barrier.set_action(std::forward<Action>(action));
        return barrier;
    }
    /// Makes a value. Python: `manager.Value(typecode, value)`.
    template <class T>
    ValueProxy<T> Value(T value = {}) const {
        return make<ValueProxy<T>, detail::ValueBody<T>>(std::move(value));
    }
    /// Makes an array: of elements in braces or of a range, or of `size` zeros.
    template <class T>
    ArrayProxy<T> Array(std::initializer_list<T> items) const {
        return make<ArrayProxy<T>, detail::ArrayBody<T>>(std::vector<T>(items));
    }
    template <class T, std::ranges::input_range Items>
    ArrayProxy<T> Array(Items&& items) const {
        return make<ArrayProxy<T>, detail::ArrayBody<T>>(detail::elements_of<T>(items));
    }
    template <class T>
    ArrayProxy<T> Array(std::size_t size) const {
        return make<ArrayProxy<T>, detail::ArrayBody<T>>(std::vector<T>(size));
    }
};

} // namespace managers

/// Returns a started manager; `Manager(initializer, arguments...)` and
/// `Manager({.max_calls = 8}, initializer, arguments...)` call the initializer in its server first.
/// Python: `multiprocessing.Manager()`.
MULTIPROCESSING_INLINE managers::SyncManager Manager(managers::ManagerOptions options = {});
template <class Initializer, class... Arguments>
managers::SyncManager Manager(managers::ManagerOptions options, Initializer&& initializer,
                              Arguments&&... arguments) {
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

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE PoolProxy SyncManager::Pool(Count processes) const {
    return make<PoolProxy, detail::PoolBody>(processes.value());
}

MULTIPROCESSING_INLINE BarrierProxy SyncManager::Barrier(Count parties) const {
    return make<BarrierProxy, detail::ManagedBarrierBody>(parties.value());
}

} // namespace multiprocessing::inline v1::managers

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE managers::SyncManager Manager(managers::ManagerOptions options) {
    managers::SyncManager manager(std::move(options));
    manager.start();
    return manager;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
