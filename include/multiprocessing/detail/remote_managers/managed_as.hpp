#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file managed_as.hpp  As what a registered object is held in the server, and by which proxy
/// clients have it: a std::map is a dict, a Queue a managed queue.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>
#include <multiprocessing/detail/managers/bodies/dict_body.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/bodies/monitor_body.hpp>
#include <multiprocessing/detail/managers/bodies/queue_body.hpp>
#include <multiprocessing/detail/managers/bodies/set_body.hpp>
#include <multiprocessing/detail/managers/bodies/signal_bodies.hpp>
#include <multiprocessing/detail/managers/bodies/value_body.hpp>
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

#include <array>
#include <concepts>
#include <cstddef>
#include <map>
#include <set>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

// ---- Compound assignments: templates, so those whose operand is a T or a plain number ----

template <Compound Operation, class T, class Operand>
constexpr bool can_compound() {
    if constexpr (std::is_same_v<T, bool>) {
        return false;
    } else if constexpr (Operation == Compound::add) {
        return requires(T& v, const Operand& o) { v += o; };
    } else if constexpr (Operation == Compound::subtract) {
        return requires(T& v, const Operand& o) { v -= o; };
    } else if constexpr (Operation == Compound::multiply) {
        return requires(T& v, const Operand& o) { v *= o; };
    } else if constexpr (Operation == Compound::divide) {
        return requires(T& v, const Operand& o) { v /= o; };
    } else if constexpr (Operation == Compound::remainder) {
        return requires(T& v, const Operand& o) { v %= o; };
    } else if constexpr (Operation == Compound::bit_or) {
        return requires(T& v, const Operand& o) { v |= o; };
    } else if constexpr (Operation == Compound::bit_and) {
        return requires(T& v, const Operand& o) { v &= o; };
    } else if constexpr (Operation == Compound::bit_xor) {
        return requires(T& v, const Operand& o) { v ^= o; };
    } else if constexpr (Operation == Compound::shift_left) {
        return requires(T& v, const Operand& o) { v <<= o; };
    } else {
        return requires(T& v, const Operand& o) { v >>= o; };
    }
}

/// Adds those of one operand's type to the interface of the body of T.
template <class T, class Operand, class Body>
void add_compounds_of(InterfaceOf<Body>& interface) {
    const auto add = [&]<Compound Operation>(const char* name) {
        if constexpr (can_compound<Operation, T, Operand>())
            interface.template add<&Body::template compound<Operation, Operand>>(name).which_adds();
    };
    add.template operator()<Compound::add>("operator+=");
    add.template operator()<Compound::subtract>("operator-=");
    add.template operator()<Compound::multiply>("operator*=");
    add.template operator()<Compound::divide>("operator/=");
    add.template operator()<Compound::remainder>("operator%=");
    add.template operator()<Compound::bit_or>("operator|=");
    add.template operator()<Compound::bit_and>("operator&=");
    add.template operator()<Compound::bit_xor>("operator^=");
    add.template operator()<Compound::shift_left>("operator<<=");
    add.template operator()<Compound::shift_right>("operator>>=");
}

template <class T, class Body>
void add_compounds(InterfaceOf<Body>& interface) {
    add_compounds_of<T, T>(interface);
    if constexpr (std::is_arithmetic_v<T>) {
        if constexpr (!std::is_same_v<T, int>) add_compounds_of<T, int>(interface);
        if constexpr (!std::is_same_v<T, double>) add_compounds_of<T, double>(interface);
    }
}

// ---- The interfaces of bodies: without members that take functions, which no other build has ----

template <class K, class V>
RemoteInterface interface_of_dict() {
    using Body = DictBody<K, V>;
    InterfaceOf<Body> i;
    i.template add<&Body::at>().template add<&Body::get>().template add<&Body::set>().which_adds();
    i.template add<&Body::insert>().which_adds().template add<&Body::setdefault>().which_adds();
    i.template add<&Body::contains>();
    i.template add<&Body::erase>().template add<&Body::take>().template add<&Body::popitem>();
    i.template add<&Body::update>().which_adds().template add<&Body::keys>().template add<&Body::values>();
    i.template add<&Body::items>().template add<&Body::size>().template add<&Body::clear>();
    add_compounds<V>(i);
    i.template weigh<[](const Body& body) { return body.items(); }>();
    return i.release();
}

template <class T>
RemoteInterface interface_of_list() {
    using Body = ListBody<T>;
    InterfaceOf<Body> i;
    i.template add<&Body::at>().template add<&Body::set>().which_adds();
    i.template add<&Body::append>().which_adds().template add<&Body::extend>().which_adds();
    i.template add<&Body::insert>().which_adds(); // not repeat(): one small call could fill all memory
    i.template add<&Body::pop>().template add<&Body::erase>().template add<&Body::size>();
    i.template add<&Body::clear>().template add<&Body::copy>().template add<&Body::reverse>();
    i.template add<&Body::slice>().template add<&Body::set_slice>().which_adds();
    i.template add<&Body::erase_slice>();
    if constexpr (std::equality_comparable<T>) {
        i.template add<&Body::remove>().template add<&Body::index>();
        i.template add<&Body::count>().template add<&Body::contains>();
    }
    if constexpr (requires(const T& a, const T& b) {
                      { a < b } -> std::convertible_to<bool>;
                  })
        i.template add<&Body::sort>();
    add_compounds<T>(i);
    i.template weigh<[](const Body& body) { return body.copy(); }>();
    return i.release();
}

template <class T>
RemoteInterface interface_of_set() {
    using Body = SetBody<T>;
    InterfaceOf<Body> i;
    i.template add<&Body::add>().which_adds().template add<&Body::discard>().template add<&Body::remove>();
    i.template add<&Body::pop>().template add<&Body::contains>().template add<&Body::size>();
    i.template add<&Body::clear>().template add<&Body::copy>().template add<&Body::update>().which_adds();
    i.template add<&Body::combined>().template add<&Body::holds_all_of>();
    i.template add<&Body::is_part_of>().template add<&Body::is_apart_from>();
    i.template weigh<[](const Body& body) { return body.copy(); }>();
    return i.release();
}

template <class T>
RemoteInterface interface_of_queue() {
    using Body = QueueBody<T>;
    InterfaceOf<Body> i;
    i.template add<&Body::put>().which_adds().template add<&Body::get>().template add<&Body::qsize>();
    i.template add<&Body::full>().template add<&Body::shutdown>().template add<&Body::task_done>();
    i.template add<&Body::join>();
    i.template weigh<[](const Body& body) -> const auto& { return body.items(); }>();
    return i.release();
}

template <class T>
RemoteInterface interface_of_value() {
    using Body = ValueBody<T>;
    InterfaceOf<Body> i;
    i.template add<&Body::get>().template add<&Body::set>().which_adds();
    add_compounds<T>(i);
    i.template weigh<[](const Body& body) { return std::array<T, 1>{body.get()}; }>();
    return i.release();
}

inline RemoteInterface interface_of_monitor() {
    InterfaceOf<MonitorBody> i;
    i.add<&MonitorBody::acquire>().add<&MonitorBody::release>().add<&MonitorBody::locked>();
    i.add<&MonitorBody::recovered>().add<&MonitorBody::wait>().add<&MonitorBody::notify>();
    return i.release();
}

inline RemoteInterface interface_of_semaphore() {
    using Body = ManagedSemaphoreBody;
    return InterfaceOf<Body>().add<&Body::acquire>().add<&Body::release>().add<&Body::value>().release();
}

inline RemoteInterface interface_of_event() {
    using Body = ManagedEventBody;
    InterfaceOf<Body> i;
    i.add<&Body::is_set>().add<&Body::set>().add<&Body::clear>().add<&Body::wait>();
    return i.release();
}

inline RemoteInterface interface_of_barrier() {
    using Body = ManagedBarrierBody;
    InterfaceOf<Body> i;
    i.add<&Body::wait>().add<&Body::reset>().add<&Body::abort>().add<&Body::parties>();
    i.add<&Body::n_waiting>().add<&Body::broken>();
    return i.release();
}

// ---- Which proxy and which body ----

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
struct ManagedAs<Condition> : ManagedMonitor<managers::ConditionProxy, true> {};

template <class ProxyType, bool IsBounded>
struct ManagedSemaphore : ManagedByBody<ProxyType, ManagedSemaphoreBody, &interface_of_semaphore> {
    static std::tuple<std::size_t, bool> arguments(std::size_t value = 1) { return {value, IsBounded}; }
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
struct ManagedAs<Array<T>> : ManagedByBody<managers::ArrayProxy<T>, ListBody<T>, &interface_of_list<T>> {
    static std::tuple<std::vector<T>> arguments(std::size_t size) { return {std::vector<T>(size)}; }
    static std::tuple<std::vector<T>> arguments(std::vector<T> items) { return {std::move(items)}; }
};

} // namespace multiprocessing::inline v1::detail
