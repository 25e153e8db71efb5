#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file managed_as.hpp  As what a registered object is held in the server, and by which proxy
/// clients have it: a std::map is a dict, a Queue a managed queue.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/dict_body.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/bodies/monitor_body.hpp>
#include <multiprocessing/detail/managers/bodies/queue_body.hpp>
#include <multiprocessing/detail/managers/bodies/set_body.hpp>
#include <multiprocessing/detail/managers/bodies/signal_bodies.hpp>
#include <multiprocessing/detail/managers/bodies/value_body.hpp>
#include <multiprocessing/detail/remote_managers/body_interfaces.hpp>
#include <multiprocessing/detail/remote_managers/interface.hpp>
#include <multiprocessing/managers/dict.hpp>
#include <multiprocessing/managers/list.hpp>
#include <multiprocessing/managers/locks.hpp>
#include <multiprocessing/managers/proxy.hpp>
#include <multiprocessing/managers/queue.hpp>
#include <multiprocessing/managers/set.hpp>
#include <multiprocessing/managers/signals.hpp>
#include <multiprocessing/managers/value.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <cstddef>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// `Proxy`: what clients have. `Body`: what the server holds. `interface`: what may be called.
/// `arguments(...)`: those of the body, of what the program gives.
template <class T>
struct ManagedAs {
    using Proxy = managers::Proxy<T>;
    using Body = T;
    static constexpr bool is_known = false;
};

template <class ProxyType, class BodyType, RemoteInterface (*Interface)()>
struct ManagedByBody {
    using Proxy = ProxyType;
    using Body = BodyType;
    static constexpr bool is_known = true;
    static RemoteInterface interface() { return Interface(); }
};

template <class T>
struct ManagedQueue : ManagedByBody<managers::QueueProxy<T>, QueueBody<T>, &interface_of_queue<T>> {
    static std::tuple<std::size_t> arguments(Count maxsize = {}) { return {maxsize.value()}; }
};
template <class T>
struct ManagedAs<Queue<T>> : ManagedQueue<T> {};
template <class T>
struct ManagedAs<JoinableQueue<T>> : ManagedQueue<T> {
    using Proxy = managers::JoinableQueueProxy<T>;
};

template <class K, class V>
struct ManagedDict : ManagedByBody<managers::DictProxy<K, V>, DictBody<K, V>, &interface_of_dict<K, V>> {
    static std::tuple<std::vector<std::pair<K, V>>> arguments(const std::map<K, V>& items = {}) {
        return {std::vector<std::pair<K, V>>(items.begin(), items.end())};
    }
};
template <class K, class V, class Less, class Allocator>
struct ManagedAs<std::map<K, V, Less, Allocator>> : ManagedDict<K, V> {};
template <class K, class V, class Hash, class Equal, class Allocator>
struct ManagedAs<std::unordered_map<K, V, Hash, Equal, Allocator>> : ManagedDict<K, V> {};

template <class T>
struct ManagedList : ManagedByBody<managers::ListProxy<T>, ListBody<T>, &interface_of_list<T>> {
    static std::tuple<std::vector<T>> arguments(std::vector<T> items = {}) { return {std::move(items)}; }
};
template <class T, class Allocator>
struct ManagedAs<std::vector<T, Allocator>> : ManagedList<T> {};

template <class T>
struct ManagedSet : ManagedByBody<managers::SetProxy<T>, SetBody<T>, &interface_of_set<T>> {
    static std::tuple<std::vector<T>> arguments(const std::set<T>& items = {}) {
        return {std::vector<T>(items.begin(), items.end())};
    }
};
template <class T, class Less, class Allocator>
struct ManagedAs<std::set<T, Less, Allocator>> : ManagedSet<T> {};
template <class T, class Hash, class Equal, class Allocator>
struct ManagedAs<std::unordered_set<T, Hash, Equal, Allocator>> : ManagedSet<T> {};

template <class ProxyType, bool IsRecursive>
struct ManagedMonitor : ManagedByBody<ProxyType, MonitorBody, &interface_of_monitor> {
    static std::tuple<bool> arguments() { return {IsRecursive}; }
};
template <>
struct ManagedAs<Lock> : ManagedMonitor<managers::LockProxy, false> {};
template <>
struct ManagedAs<RLock> : ManagedMonitor<managers::RLockProxy, true> {};
template <>
struct ManagedAs<Condition>
    : ManagedByBody<managers::ConditionProxy, ManagedConditionBody, &interface_of_condition> {
    static std::tuple<> arguments() { return {}; }
};

template <class ProxyType, bool IsBounded>
struct ManagedSemaphore : ManagedByBody<ProxyType, ManagedSemaphoreBody, &interface_of_semaphore> {
    static std::tuple<std::size_t, bool> arguments(Count value = 1) { return {value.value(), IsBounded}; }
};
template <>
struct ManagedAs<Semaphore> : ManagedSemaphore<managers::SemaphoreProxy, false> {};
template <>
struct ManagedAs<BoundedSemaphore> : ManagedSemaphore<managers::BoundedSemaphoreProxy, true> {};

template <>
struct ManagedAs<Event> : ManagedByBody<managers::EventProxy, ManagedEventBody, &interface_of_event> {
    static std::tuple<> arguments() { return {}; }
};
template <>
struct ManagedAs<Barrier> : ManagedByBody<managers::BarrierProxy, ManagedBarrierBody, &interface_of_barrier> {
    static std::tuple<std::size_t> arguments(Count parties) { return {parties.value()}; }
};

template <class T>
struct ManagedAs<Value<T>> : ManagedByBody<managers::ValueProxy<T>, ValueBody<T>, &interface_of_value<T>> {
    static std::tuple<T> arguments(T value = {}) { return {std::move(value)}; }
};
template <class T>
struct ManagedAs<Array<T>> : ManagedByBody<managers::ArrayProxy<T>, ArrayBody<T>, &interface_of_array<T>> {
    static std::tuple<std::vector<T>> arguments(Count size) { return {std::vector<T>(size.value())}; }
    static std::tuple<std::vector<T>> arguments(std::vector<T> items) { return {std::move(items)}; }
};

} // namespace multiprocessing::inline v1::detail
