#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pool.hpp  PoolProxy: a Pool in a manager's server, for all of its clients.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {

/// How long a client waits, on the way to where a Pool waits: nanoseconds, or negative without end.
inline std::int64_t wait_of(Timeout timeout) {
    const auto span = timeout.span();
    return span ? static_cast<std::int64_t>(span->count()) : -1;
}
inline Timeout timeout_of(std::int64_t nanoseconds) {
    return nanoseconds < 0 ? no_timeout : Timeout{std::chrono::nanoseconds{nanoseconds}};
}

/// An AsyncResult in the server. A client that waits keeps a thread there.
template <class R>
class PoolResultBody {
public:
    using multiprocessing_concurrent = void;

    explicit PoolResultBody(AsyncResult<R> result) : result_(std::move(result)) {}

    R get(std::int64_t nanoseconds) { return result_.get(timeout_of(nanoseconds)); }
    bool wait(std::int64_t nanoseconds) {
        result_.wait(timeout_of(nanoseconds));
        return result_.ready();
    }
    bool ready() const { return result_.ready(); }
    bool successful() const { return result_.successful(); }
    bool cancel() { return result_.cancel(); }

private:
    AsyncResult<R> result_;
};

/// What is left of an `imap` in the server.
template <class R>
class PoolItemsBody {
public:
    explicit PoolItemsBody(std::function<std::optional<R>()> next) : next_(std::move(next)) {}

    std::optional<R> next() { return next_(); }

private:
    std::function<std::optional<R>()> next_;
};

} // namespace detail

namespace managers {

/// A handle of the result of a call that the Pool of a manager carries out. Dropping it leaves the
/// call running. Python: `AsyncResult`, by the proxy of a managed Pool.
template <class R>
class PoolResultProxy : public detail::ProxyBase<PoolResultProxy<R>, detail::PoolResultBody<R>> {
    using Body = detail::PoolResultBody<R>;

public:
    PoolResultProxy() = default; // refers to nothing: to be assigned to

    /// Waits for the result and returns it. Throws what the call has thrown, TimeoutError after the
    /// timeout.
    R get(Timeout timeout = no_timeout) const {
        return this->template invoke<&Body::get>(detail::wait_of(timeout));
    }
    /// Waits until the result is there; returns whether it is.
    bool wait(Timeout timeout = no_timeout) const {
        return this->template invoke<&Body::wait>(detail::wait_of(timeout));
    }
    bool ready() const { return this->template invoke<&Body::ready>(); }
    bool successful() const { return this->template invoke<&Body::successful>(); }
    /// Returns whether the call had not begun, and will not.
    bool cancel() const { return this->template invoke<&Body::cancel>(); }
    std::string str() const { return "<AsyncResult object at " + this->place() + ">"; }

private:
    friend detail::ProxyBase<PoolResultProxy, Body>;
    static detail::ProxyNames python_names() { return {"PoolResultProxy", "AsyncResult"}; }
    explicit PoolResultProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<PoolResultProxy, Body>(std::move(received)) {}
};

/// The results of an `imap` by the Pool of a manager, to be gone through once: each step is a call.
/// Python: `IteratorProxy`.
template <class R>
class PoolItemsProxy : public detail::ProxyBase<PoolItemsProxy<R>, detail::PoolItemsBody<R>> {
    using Body = detail::PoolItemsBody<R>;

public:
    PoolItemsProxy() = default; // refers to nothing: to be assigned to

    /// Waits for the next result; nullopt at the end. Throws what the call of the item has thrown,
    /// and goes on behind it.
    std::optional<R> next() const { return this->template invoke<&Body::next>(); }

    class Iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using difference_type = std::ptrdiff_t;
        using value_type = R;

        explicit Iterator(PoolItemsProxy items) : items_(std::move(items)), item_(items_.next()) {}
        const R& operator*() const { return *item_; }
        Iterator& operator++() {
            item_ = items_.next();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) { return !iterator.item_; }

    private:
        PoolItemsProxy items_;
        std::optional<R> item_;
    };
    Iterator begin() const { return Iterator(*this); }
    std::default_sentinel_t end() const { return {}; }
    std::string str() const { return "<IMapIterator object at " + this->place() + ">"; }

private:
    friend detail::ProxyBase<PoolItemsProxy, Body>;
    static detail::ProxyNames python_names() { return {"IteratorProxy", "Iterator"}; }
    explicit PoolItemsProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<PoolItemsProxy, Body>(std::move(received)) {}
};

} // namespace managers

namespace detail {

/// A Pool in a manager's server, which is the parent of its workers.
class PoolBody {
public:
    using multiprocessing_concurrent = void;

    explicit PoolBody(std::size_t processes) : pool_(Count(processes)) {}

    template <class F, class... A>
    auto apply(F function, A... arguments) {
        return pool_.apply(std::move(function), std::move(arguments)...);
    }
    template <class F, class... A>
    auto apply_async(F function, A... arguments) {
        return kept(pool_.apply_async(std::move(function), std::move(arguments)...));
    }
    template <class F, class T>
    auto map(F function, std::vector<T> items, std::size_t chunksize) {
        return pool_.map(std::move(function), std::move(items), {.chunksize = chunksize});
    }
    template <class F, class T>
    auto map_async(F function, std::vector<T> items, std::size_t chunksize) {
        return kept(pool_.map_async(std::move(function), std::move(items), {.chunksize = chunksize}));
    }
    template <class F, class T>
    auto starmap(F function, std::vector<T> items, std::size_t chunksize) {
        return pool_.starmap(std::move(function), std::move(items), {.chunksize = chunksize});
    }
    template <class F, class T>
    auto imap(F function, std::vector<T> items, std::size_t chunksize) {
        return stepped(pool_.imap(std::move(function), std::move(items), {.chunksize = chunksize}));
    }
    template <class F, class T>
    auto imap_unordered(F function, std::vector<T> items, std::size_t chunksize) {
        return stepped(pool_.imap_unordered(std::move(function), std::move(items), {.chunksize = chunksize}));
    }
    void close();
    void terminate();
    bool join(std::int64_t nanoseconds);

private:
    template <class Proxy, class Body>
    static Proxy referred_to(std::shared_ptr<Body> body) {
        ManagedReadContext source{{std::make_shared<LocalTarget>(
            ManagerServer::current()->add(std::move(body), managed_type<Body>))}};
        return Proxy::import_from(source);
    }
    template <class R>
    static managers::PoolResultProxy<R> kept(AsyncResult<R> result) {
        return referred_to<managers::PoolResultProxy<R>>(
            std::make_shared<PoolResultBody<R>>(std::move(result)));
    }
    template <class R>
    static managers::PoolItemsProxy<R> stepped(pool::IMapIterator<R> items) {
        auto all = std::make_shared<pool::IMapIterator<R>>(std::move(items));
        return referred_to<managers::PoolItemsProxy<R>>(
            std::make_shared<PoolItemsBody<R>>([all] { return all->next(); }));
    }

    Pool pool_;
};

} // namespace detail

namespace managers {

/// A handle of a Pool that a manager's server has made, and that all its clients may use. What it
/// calls crosses twice, to the server and to a worker. A call that waits here keeps a thread of the
/// server, see `ManagerOptions::max_calls`. Python: `PoolProxy`.
class PoolProxy : public detail::ProxyBase<PoolProxy, detail::PoolBody> {
    using Body = detail::PoolBody;

public:
    PoolProxy() = default; // refers to nothing: to be assigned to

    /// Calls `function(arguments...)` in a worker and returns its result. Throws what it throws.
    template <class Function, class... Arguments>
    auto apply(Function&& function, Arguments&&... arguments) const {
        return invoke<&Body::template apply<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    /// Submits the call and returns at once. Throws `std::invalid_argument` after close().
    template <class Function, class... Arguments>
    auto apply_async(Function&& function, Arguments&&... arguments) const {
        return invoke<
            &Body::template apply_async<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    /// Calls `function(item)` for every item, and returns the results in the order of the items.
    template <class Function, std::ranges::input_range Range>
    auto map(Function&& function, const Range& range, Count chunksize = {}) const {
        using Item = std::ranges::range_value_t<const Range>;
        return invoke<&Body::template map<std::decay_t<Function>, Item>>(std::forward<Function>(function),
                                                                         listed(range), chunksize.value());
    }
    template <class Function, std::ranges::input_range Range>
    auto map_async(Function&& function, const Range& range, Count chunksize = {}) const {
        using Item = std::ranges::range_value_t<const Range>;
        return invoke<&Body::template map_async<std::decay_t<Function>, Item>>(
            std::forward<Function>(function), listed(range), chunksize.value());
    }
    /// Calls `function(a, b, ...)` for every tuple.
    template <class Function, std::ranges::input_range Range>
    auto starmap(Function&& function, const Range& range, Count chunksize = {}) const {
        using Item = std::ranges::range_value_t<const Range>;
        return invoke<&Body::template starmap<std::decay_t<Function>, Item>>(std::forward<Function>(function),
                                                                             listed(range), chunksize.value());
    }
    /// The same as map(), whose results are had one by one: in order, or as they come.
    template <class Function, std::ranges::input_range Range>
    auto imap(Function&& function, const Range& range, Count chunksize = {}) const {
        using Item = std::ranges::range_value_t<const Range>;
        return invoke<&Body::template imap<std::decay_t<Function>, Item>>(std::forward<Function>(function),
                                                                          listed(range), chunksize.value());
    }
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(Function&& function, const Range& range, Count chunksize = {}) const {
        using Item = std::ranges::range_value_t<const Range>;
        return invoke<&Body::template imap_unordered<std::decay_t<Function>, Item>>(
            std::forward<Function>(function), listed(range), chunksize.value());
    }

    /// Accepts no work any more.
    void close() const;
    /// Ends the workers at once, whatever they do.
    void terminate() const;
    /// Waits until the workers have ended, after close() or terminate(); returns false after the
    /// timeout.
    bool join(Timeout timeout = no_timeout) const;
    std::string str() const;

private:
    friend detail::ProxyBase<PoolProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"PoolProxy", "Pool"}; }
    explicit PoolProxy(detail::ReceivedProxy received) : ProxyBase(std::move(received)) {}

    template <class Range>
    static auto listed(const Range& range) {
        return std::vector<std::ranges::range_value_t<const Range>>(std::ranges::begin(range),
                                                                    std::ranges::end(range));
    }
};

} // namespace managers

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void PoolBody::close() { pool_.close(); }

MULTIPROCESSING_INLINE void PoolBody::terminate() { pool_.terminate(); }

MULTIPROCESSING_INLINE bool PoolBody::join(std::int64_t nanoseconds) {
    return pool_.join(timeout_of(nanoseconds));
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE void PoolProxy::close() const { invoke<&Body::close>(); }

MULTIPROCESSING_INLINE void PoolProxy::terminate() const { invoke<&Body::terminate>(); }

MULTIPROCESSING_INLINE bool PoolProxy::join(Timeout timeout) const {
    return invoke<&Body::join>(detail::wait_of(timeout));
}

MULTIPROCESSING_INLINE std::string PoolProxy::str() const {
    return "<multiprocessing.pool.Pool object at " + place() + ">";
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
