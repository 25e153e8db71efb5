#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file locks.hpp  LockProxy, RLockProxy, ConditionProxy: locks that a manager's server keeps.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/acquirer.hpp>
#include <multiprocessing/detail/managers/bodies/monitor_body.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// What the proxies of locks have in common. A holder that dies gives the lock to the next, who
/// sees `recovered()`; so does a waiter that dies.
template <class Derived, class Body = MonitorBody>
class LockProxyBase : public Acquirer<Derived, Body> {
public:
    /// Releases the lock. Throws `std::invalid_argument` if nobody holds it.
    void release() const { this->template invoke<&Body::release>(); }
    bool locked() const { return this->template invoke<&Body::locked>(); }
    /// Returns whether the holder acquired the lock from a process that died without releasing it.
    bool recovered() const { return this->template invoke<&Body::recovered>(); }
    /// Returns its state as text: `<locked _thread.lock object at 0x2>`. Python: `str(lock)`.
    std::string str() const {
        return "<" + this->template invoke<&Body::text>() + " at " + this->place() + ">";
    }

protected:
    using Acquirer<Derived, Body>::Acquirer;
};

} // namespace detail

namespace managers {

/// A handle of a lock in a manager's server. It belongs to the process that acquired it, and may be
/// released by anybody. Python: `AcquirerProxy` of `manager.Lock()`.
class LockProxy : public detail::LockProxyBase<LockProxy> {
public:
    LockProxy() = default; // refers to nothing: to be assigned to

private:
    friend detail::ProxyBase<LockProxy, detail::MonitorBody>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"AcquirerProxy", "Lock"}; }
    explicit LockProxy(detail::ReceivedProxy received) : LockProxyBase(std::move(received)) {}
};

/// A handle of a lock that its holder, a thread, may acquire again, and has to release as often.
/// Python: `AcquirerProxy` of `manager.RLock()`.
class RLockProxy : public detail::LockProxyBase<RLockProxy> {
public:
    RLockProxy() = default; // refers to nothing: to be assigned to

private:
    friend detail::ProxyBase<RLockProxy, detail::MonitorBody>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"AcquirerProxy", "RLock"}; }
    explicit RLockProxy(detail::ReceivedProxy received) : LockProxyBase(std::move(received)) {}
};

/// A handle of a condition in a manager's server, with an RLock of its own or with a managed lock
/// that was given to it. Python: `ConditionProxy`.
class ConditionProxy : public detail::LockProxyBase<ConditionProxy, detail::ManagedConditionBody> {
    using Body = detail::ManagedConditionBody;

public:
    ConditionProxy() = default; // refers to nothing: to be assigned to

    /// Releases the lock, waits for a notification, and acquires the lock again; returns false
    /// after the timeout. Throws `std::logic_error` if this thread has not acquired the lock.
    bool wait(Timeout timeout = no_timeout) const;
    /// Waits until `condition()` holds; returns what it returned last.
    template <class Predicate>
    bool wait_for(Predicate condition, Timeout timeout = no_timeout) const {
        const auto deadline = detail::Deadline::after(timeout);
        for (;;) {
            if (condition()) return true;
            if (deadline.passed()) return false;
            invoke<&Body::wait>(detail::WaitSpan::until(deadline));
        }
    }
    /// Wakes `number` waiters. Throws as wait().
    void notify(std::size_t number = 1) const { invoke<&Body::notify>(number); }
    void notify_all() const;

private:
    friend detail::ProxyBase<ConditionProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"ConditionProxy", "Condition"}; }
    explicit ConditionProxy(detail::ReceivedProxy received) : LockProxyBase(std::move(received)) {}
};

} // namespace managers

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <limits>

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE bool ConditionProxy::wait(Timeout timeout) const {
    return invoke<&Body::wait>(detail::WaitSpan::of(timeout));
}

MULTIPROCESSING_INLINE void ConditionProxy::notify_all() const {
    notify((std::numeric_limits<std::size_t>::max)());
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
