#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file value.hpp  ValueProxy, ArrayProxy: values in a manager's server.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/bodies/value_body.hpp>
#include <multiprocessing/detail/managers/element_proxy.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/shown_value.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/managers/locks.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {

/// What a proxy knows of the lock of its object: nothing until it is asked for. Of each copy its
/// own.
class KnownLock {
public:
    KnownLock() = default;
    KnownLock(const KnownLock&) noexcept {}
    KnownLock(KnownLock&& other) noexcept : lock_(other.lock_.exchange(nullptr)) {}
    KnownLock& operator=(const KnownLock& other) noexcept { return *this = KnownLock(other); }
    KnownLock& operator=(KnownLock&& other) noexcept {
        delete lock_.exchange(other.lock_.exchange(nullptr));
        return *this;
    }
    ~KnownLock() { delete lock_.load(std::memory_order_relaxed); }

    template <class Ask>
    const managers::RLockProxy& get(Ask ask) const {
        if (const auto* const known = lock_.load(std::memory_order_acquire)) return *known;
        auto mine = std::make_unique<managers::RLockProxy>(ask());
        managers::RLockProxy* known = nullptr;
        // No mutex: a fork beside a thread that holds it would leave it locked in the copy.
        if (lock_.compare_exchange_strong(known, mine.get(), std::memory_order_acq_rel)) known = mine.release();
        return *known;
    }

private:
    mutable std::atomic<managers::RLockProxy*> lock_{nullptr};
};

/// A proxy of what has a lock, which it can be locked by itself: `std::scoped_lock guard{value}`
/// makes several of its calls one step among all that do so. Single calls do not ask for the lock.
template <class Derived, class Body>
class ProxyWithLock : public ProxyBase<Derived, Body>, public Lockable<Derived> {
public:
    /// Returns the lock, an RLock; the reference lives as long as this proxy. Python: `get_lock()`
    /// of `multiprocessing.Value`.
    const managers::RLockProxy& get_lock() const {
        return lock_.get(
            [&] { return this->template invoke<&BodyWithLock::get_lock<managers::RLockProxy>>(); });
    }
    bool acquire_until(const Deadline& deadline) const { return get_lock().acquire_until(deadline); }
    void release() const { get_lock().release(); }
    /// As release(), for guards; see Acquirer.
    void unlock() const {
        try {
            release();
        } catch (const ProcessError&) {}
    }

protected:
    using ProxyBase<Derived, Body>::ProxyBase;

private:
    KnownLock lock_;
};

} // namespace detail

namespace managers {

/// A handle of a value in a manager's server. Python: `ValueProxy`.
template <class T>
class ValueProxy : public detail::ProxyWithLock<ValueProxy<T>, detail::ValueBody<T>> {
    using Base = detail::ProxyWithLock<ValueProxy, detail::ValueBody<T>>;
    using Body = detail::ValueBody<T>;
    using Compound = detail::Compound;

public:
    ValueProxy() = default; // refers to nothing: to be assigned to

    T get() const { return this->template invoke<&Body::get>(); }
    T value() const { return get(); }
    void set(const T& value) const { this->template invoke<&Body::set>(value); }

    // One step in the server each; they return the new value.
    template <class Operand>
    T operator+=(const Operand& operand) const {
        return compound<Compound::add>(operand);
    }
    template <class Operand>
    T operator-=(const Operand& operand) const {
        return compound<Compound::subtract>(operand);
    }
    template <class Operand>
    T operator*=(const Operand& operand) const {
        return compound<Compound::multiply>(operand);
    }
    template <class Operand>
    T operator/=(const Operand& operand) const {
        return compound<Compound::divide>(operand);
    }
    /// Calls `function(T&, arguments...)` in the server, in one step, and returns what it returns.
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    /// Returns the value as text: `Value('i', 5)`. Python: `str(v)`.
    std::string str() const {
        return "Value('" + detail::typecode<T>() + "', " + detail::shown_value(get()) + ")";
    }

private:
    friend detail::ProxyBase<ValueProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"ValueProxy", "Value"}; }
    explicit ValueProxy(detail::ReceivedProxy received) : Base(std::move(received)) {}

    template <Compound Operation, class Operand>
    T compound(const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                operand);
    }
};

/// A handle of an array of fixed length in a manager's server. Indexes may be negative, then they
/// count from the end. Python: `ArrayProxy`.
template <class T>
class ArrayProxy : public detail::ProxyWithLock<ArrayProxy<T>, detail::ArrayBody<T>> {
    using Base = detail::ProxyWithLock<ArrayProxy, detail::ArrayBody<T>>;
    using Body = detail::ArrayBody<T>;

public:
    ArrayProxy() = default; // refers to nothing: to be assigned to

    using value_type = T;
    using Index = std::int64_t;
    using Element = detail::ElementProxy<ArrayProxy, Index, T>;

    Element operator[](Index index) const { return {*this, index}; }
    T at(Index index) const { return this->template invoke<&Body::at>(index); }
    void set(Index index, const T& value) const { this->template invoke<&Body::set>(index, value); }
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(Index index, Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            index, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    std::size_t size() const { return this->template invoke<&Body::size>(); }
    std::vector<T> slice(std::optional<Index> begin, std::optional<Index> end, Index step = 1) const {
        return this->template invoke<&Body::slice>(detail::ListSlice{begin, end, step});
    }
    std::vector<T> copy() const { return this->template invoke<&Body::copy>(); }
    /// Returns the elements as text: `array('i', [1, 2])`. Python: `str(a)`.
    std::string str() const {
        return "array('" + detail::typecode<T>() + "', " + detail::shown_value(copy()) + ")";
    }
    detail::Snapshot<T> begin() const { return detail::Snapshot<T>(copy()); }
    std::default_sentinel_t end() const { return {}; }

private:
    template <class, class, class>
    friend class detail::ElementProxy;
    friend detail::ProxyBase<ArrayProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"ArrayProxy", "Array"}; }
    explicit ArrayProxy(detail::ReceivedProxy received) : Base(std::move(received)) {}

    template <detail::Compound Operation, class Operand>
    T compound(Index index, const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                index, operand);
    }
};

} // namespace managers

} // namespace multiprocessing::inline v1
