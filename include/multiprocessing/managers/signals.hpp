#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file signals.hpp  SemaphoreProxy, EventProxy, BarrierProxy: what processes wait for, in a
/// manager's server.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/acquirer.hpp>
#include <multiprocessing/detail/managers/bodies/signal_bodies.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

template <class Derived>
class SemaphoreProxyBase : public Acquirer<Derived, ManagedSemaphoreBody> {
public:
    void release(Count number = 1) const {
        this->template invoke<&ManagedSemaphoreBody::release>(number.value());
    }
    std::size_t get_value() const { return this->template invoke<&ManagedSemaphoreBody::value>(); }
    bool locked() const { return get_value() == 0; }
    /// Returns its state as text: `<threading.Semaphore at 0x2: value=1>`. Python:
    /// `str(semaphore)`.
    std::string str() const {
        return "<threading." + Derived::python_names().type + " at " + this->place() +
               ": value=" + std::to_string(get_value()) + ">";
    }

protected:
    using Acquirer<Derived, ManagedSemaphoreBody>::Acquirer;
};

} // namespace detail

namespace managers {

/// A handle of a semaphore in a manager's server. Python: `AcquirerProxy` of `manager.Semaphore()`.
class SemaphoreProxy : public detail::SemaphoreProxyBase<SemaphoreProxy> {
public:
    SemaphoreProxy() = default; // refers to nothing: to be assigned to

private:
    friend detail::ProxyBase<SemaphoreProxy, detail::ManagedSemaphoreBody>;
    friend class BaseManager; // makes it
    friend detail::SemaphoreProxyBase<SemaphoreProxy>;
    static detail::ProxyNames python_names() { return {"AcquirerProxy", "Semaphore"}; }
    explicit SemaphoreProxy(detail::ReceivedProxy received) : SemaphoreProxyBase(std::move(received)) {}
};

/// The same; release() beyond the value at the beginning throws `std::invalid_argument`.
class BoundedSemaphoreProxy : public detail::SemaphoreProxyBase<BoundedSemaphoreProxy> {
public:
    BoundedSemaphoreProxy() = default; // refers to nothing: to be assigned to

private:
    friend detail::ProxyBase<BoundedSemaphoreProxy, detail::ManagedSemaphoreBody>;
    friend class BaseManager; // makes it
    friend detail::SemaphoreProxyBase<BoundedSemaphoreProxy>;
    static detail::ProxyNames python_names() { return {"AcquirerProxy", "BoundedSemaphore"}; }
    explicit BoundedSemaphoreProxy(detail::ReceivedProxy received) : SemaphoreProxyBase(std::move(received)) {}
};

/// A handle of an event in a manager's server. Python: `EventProxy`.
class EventProxy : public detail::ProxyBase<EventProxy, detail::ManagedEventBody> {
    using Body = detail::ManagedEventBody;

public:
    EventProxy() = default; // refers to nothing: to be assigned to

    bool is_set() const { return invoke<&Body::is_set>(); }
    void set() const { invoke<&Body::set>(); }
    void clear() const { invoke<&Body::clear>(); }
    /// Waits until it is set, or was set meanwhile; returns false after the timeout.
    bool wait(Timeout timeout = no_timeout) const;
    /// Returns its state as text: `<threading.Event at 0x2: set>`. Python: `str(event)`.
    std::string str() const;

private:
    friend detail::ProxyBase<EventProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"EventProxy", "Event"}; }
    explicit EventProxy(detail::ReceivedProxy received) : ProxyBase(std::move(received)) {}
};

/// A handle of a barrier in a manager's server. A waiter that dies breaks it. Python:
/// `BarrierProxy`.
class BarrierProxy : public detail::ProxyBase<BarrierProxy, detail::ManagedBarrierBody> {
    using Body = detail::ManagedBarrierBody;

public:
    BarrierProxy() = default; // refers to nothing: to be assigned to

    /// Waits for the others; returns this waiter's number. Throws BrokenBarrierError if the barrier
    /// is broken, or breaks: by abort(), reset(), a timeout, or a waiter's death.
    int wait(Timeout timeout = no_timeout) const;
    void reset() const { invoke<&Body::reset>(); }
    void abort() const { invoke<&Body::abort>(); }
    std::size_t parties() const { return invoke<&Body::parties>(); }
    std::size_t n_waiting() const { return invoke<&Body::n_waiting>(); }
    bool broken() const { return invoke<&Body::broken>(); }
    /// Returns its state as text: `<threading.Barrier at 0x2: waiters=0/3>`. Python:
    /// `str(barrier)`.
    std::string str() const;

private:
    friend detail::ProxyBase<BarrierProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"BarrierProxy", "Barrier"}; }
    friend class SyncManager; // gives it its action
    explicit BarrierProxy(detail::ReceivedProxy received) : ProxyBase(std::move(received)) {}

    template <class Action>
    void set_action(Action&& action) const {
        invoke<&Body::template set_action<std::decay_t<Action>>>(std::forward<Action>(action));
    }
};

} // namespace managers

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/exceptions.hpp>

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE bool EventProxy::wait(Timeout timeout) const {
    return invoke<&Body::wait>(detail::WaitSpan::of(timeout));
}

MULTIPROCESSING_INLINE std::string EventProxy::str() const {
    return "<threading.Event at " + place() + (is_set() ? ": set>" : ": unset>");
}

MULTIPROCESSING_INLINE std::string BarrierProxy::str() const {
    const std::string begin = "<threading.Barrier at " + place() + ": ";
    if (broken()) return begin + "broken>";
    return begin + "waiters=" + std::to_string(n_waiting()) + "/" + std::to_string(parties()) + ">";
}

MULTIPROCESSING_INLINE int BarrierProxy::wait(Timeout timeout) const {
    const int number = invoke<&Body::wait>(detail::WaitSpan::of(timeout));
    if (number == Body::broken_answer) throw BrokenBarrierError("multiprocessing: the barrier is broken");
    return number;
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
