#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file queue.hpp  QueueProxy, JoinableQueueProxy: queues in a manager's server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/queue_body.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

template <class Derived, class T>
class QueueProxyBase : public ProxyBase<Derived, QueueBody<T>> {
    using Body = QueueBody<T>;

public:
    using value_type = T;

    /// Appends the item; waits while the queue is full. Throws Full after the timeout, ShutDown
    /// after shutdown().
    void put(const T& item, Timeout timeout = no_timeout) const {
        if (!this->template invoke<&Body::put>(item, WaitSpan::of(timeout)))
            throw Full("multiprocessing: the queue is full");
    }
    void put_nowait(const T& item) const { put(item, std::chrono::nanoseconds{0}); }
    bool try_put(const T& item) const { return this->template invoke<&Body::put>(item, WaitSpan{0}); }
    /// Takes the first item; waits while there is none. Throws Empty after the timeout, ShutDown
    /// when the queue was shut down and is empty.
    T get(Timeout timeout = no_timeout) const {
        auto item = this->template invoke<&Body::get>(WaitSpan::of(timeout));
        if (!item) throw Empty("multiprocessing: the queue is empty");
        return std::move(*item);
    }
    T get_nowait() const { return get(std::chrono::nanoseconds{0}); }
    std::optional<T> try_get() const { return this->template invoke<&Body::get>(WaitSpan{0}); }

    std::size_t qsize() const { return this->template invoke<&Body::qsize>(); }
    bool empty() const { return qsize() == 0; }
    bool full() const { return this->template invoke<&Body::full>(); }
    /// Ends the queue for all: puts throw ShutDown, gets drain it first.
    void shutdown() const { this->template invoke<&Body::shutdown>(); }
    /// Returns `<queue.Queue object at 0x2>`. Python: `str(q)`.
    std::string str() const { return "<queue.Queue object at " + this->place() + ">"; }

protected:
    using ProxyBase<Derived, Body>::ProxyBase;
};

} // namespace detail

namespace managers {

/// A handle of a queue in a manager's server. Unlike a Queue it may hold proxies, and be in a
/// managed dict or list. Python: what `manager.Queue()` returns.
template <class T>
class QueueProxy : public detail::QueueProxyBase<QueueProxy<T>, T> {
public:
    QueueProxy() = default; // refers to nothing: to be assigned to

private:
    friend detail::ProxyBase<QueueProxy, detail::QueueBody<T>>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"QueueProxy", "Queue"}; }
    explicit QueueProxy(detail::ReceivedProxy received)
        : detail::QueueProxyBase<QueueProxy, T>(std::move(received)) {}
};

/// The same, and counts what is put and not done. Python: what `manager.JoinableQueue()` returns.
template <class T>
class JoinableQueueProxy : public detail::QueueProxyBase<JoinableQueueProxy<T>, T> {
    using Body = detail::QueueBody<T>;

public:
    JoinableQueueProxy() = default; // refers to nothing: to be assigned to

    /// One item that was taken is done. Throws `std::invalid_argument` if there was none.
    void task_done() const { this->template invoke<&Body::task_done>(); }
    /// Waits until all items are done; returns false after the timeout.
    bool join(Timeout timeout = no_timeout) const {
        return this->template invoke<&Body::join>(detail::WaitSpan::of(timeout));
    }

private:
    friend detail::ProxyBase<JoinableQueueProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"QueueProxy", "JoinableQueue"}; }
    explicit JoinableQueueProxy(detail::ReceivedProxy received)
        : detail::QueueProxyBase<JoinableQueueProxy, T>(std::move(received)) {}
};

} // namespace managers

} // namespace multiprocessing::inline v1
