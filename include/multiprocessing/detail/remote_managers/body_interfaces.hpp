#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file body_interfaces.hpp  What remote clients may call of dicts, queues, locks and the like.

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

#include <array>
#include <concepts>
#include <type_traits>

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

/// Of fixed length.
template <class T>
RemoteInterface interface_of_array() {
    using Body = ArrayBody<T>;
    InterfaceOf<Body> i;
    i.template add<&Body::at>().template add<&Body::set>().which_adds().template add<&Body::size>();
    i.template add<&Body::slice>().template add<&Body::copy>();
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

/// Of a lock, or what can be locked.
template <class Body>
void add_locking(InterfaceOf<Body>& interface) {
    interface.template add<&Body::acquire>().template add<&Body::release>().template add<&Body::locked>();
    interface.template add<&Body::recovered>().template add<&Body::text>();
}

inline RemoteInterface interface_of_monitor() {
    InterfaceOf<MonitorBody> i;
    add_locking(i);
    return i.release();
}

inline RemoteInterface interface_of_condition() {
    using Body = ManagedConditionBody;
    InterfaceOf<Body> i;
    add_locking(i);
    return i.add<&Body::wait>().add<&Body::notify>().release();
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

} // namespace multiprocessing::inline v1::detail
