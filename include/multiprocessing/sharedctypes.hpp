#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file sharedctypes.hpp  Values and arrays in memory that processes share.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/sharedctypes/elements.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/synchronize.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {
template <class Derived, class Head>
class HandleWithLock;
}

/// The options of a Value or an Array.
struct SharedOptions {
    /// A Lock or RLock, or no lock.
    class AnyLock {
    public:
        AnyLock() noexcept = default;
        AnyLock(const Lock& lock) : object_(detail::RLockAccess::object_of(lock)) {}
        AnyLock(const RLock& lock) : object_(detail::RLockAccess::object_of(lock)) {}

    private:
        template <class, class>
        friend class detail::HandleWithLock;
        std::shared_ptr<detail::SharedObject> object_;
    };
    /// The lock that get_lock() returns, to share it with other objects. Default: a new one.
    AnyLock lock = {};
};

namespace detail {

/// The base of Value and Array: an object that begins with its lock, or that uses a lock of the
/// program's.
template <class Derived, class Head>
class HandleWithLock : public HandleBase<Derived, Head>, public Lockable<Derived> {
    using Base = HandleBase<Derived, Head>;

public:
    /// Returns the lock that `+=` and the like acquire. If the object was made with a Lock of the
    /// program's, it refers to that, and cannot be acquired twice. Python: `get_lock()`.
    RLock& get_lock() const noexcept { return lock_; }

    void release() const { lock_.release(); }
    bool acquire_until(const Deadline& deadline) const { return lock_.acquire_until(deadline); }

    void export_to(HandleSink& sink) const {
        Base::export_to(sink);
        lock_.export_to(sink);
    }
    static Derived import_from(HandleSource& source) {
        Derived value = Base::import_from(source);
        value.lock_ = RLock::import_from(source);
        return value;
    }

protected:
    explicit HandleWithLock(detail::Received received)
        : Base(std::move(received)), lock_(RLockAccess::of(this->object())) {}
    template <class Init>
    HandleWithLock(const SharedOptions& options, std::uint64_t further_bytes, Init init)
        : Base(std::move(init), further_bytes),
          lock_(RLockAccess::of(options.lock.object_ ? options.lock.object_ : this->object())) {}

private:
    mutable RLock lock_; // all that a handle does is const; assigned to nowhere but in take()
};

} // namespace detail

/// One T that processes share, with a lock. `v += 1` and the like are atomic, under the lock;
/// `v.value()` is the T itself, read and written without it. A cheap handle: copies refer to the
/// same T; copy() returns its content.
///
/// T is trivially copyable and holds no pointers, or is a lock-free `std::atomic`.
///
/// Python: `multiprocessing.Value(typecode, value, lock=...)`, where `v.value += 1` is not atomic.
template <class T>
class Value : public detail::HandleWithLock<Value<T>, detail::ValueHead> {
    static_assert(detail::require_sharing<T>());
    using Head = detail::ValueHead;
    using Base = detail::HandleWithLock<Value<T>, Head>;

public:
    static constexpr char kind[] = "Value";
    using value_type = T;

    /// Makes a T(): a number is 0.
    Value() : Value(SharedOptions{}) {}
    template <class... Argument>
        requires(sizeof...(Argument) > 0 && std::constructible_from<T, const Argument&...> &&
                 !(std::same_as<Argument, SharedOptions> || ...) && !(std::same_as<Argument, Value> || ...))
    explicit Value(Argument... argument) : Value(SharedOptions{}, std::move(argument)...) {}
    template <class... Argument>
        requires(std::constructible_from<T, const Argument&...>)
    explicit(sizeof...(Argument) == 0) Value(SharedOptions options, Argument... argument)
        : Base(options, detail::room_behind<Head, T>, detail::value_of<Head, T>(std::move(argument)...)) {}

    /// Returns the T itself, which is read and written without the lock.
    T& value() const { return *detail::elements_behind<Head, T>(this->body()); }
    /// Returns the content, without a lock. Python: `get_obj()`.
    T& get_obj() const { return value(); }

    /// Returns `<Synchronized wrapper for c_int(3)>`, without acquiring the lock. Python:
    /// `repr(v)`.
    std::string repr() const {
        return "<Synchronized wrapper for " + this->known([&] { return detail::shown_content(value()); }) + ">";
    }

    /// Returns the content, read under the lock. Python: `multiprocessing.sharedctypes.copy(v)`.
    auto copy() const {
        std::scoped_lock guard{this->get_lock()};
        return detail::content_of(value());
    }

    /// Calls `change(T&)` under the lock, as one step for all that use the lock; returns its
    /// result.
    template <std::invocable<T&> Change>
    decltype(auto) update(Change change) const {
        std::scoped_lock guard{this->get_lock()};
        return change(value());
    }

    // Atomic, under the lock. They return the new content.
    template <class X>
    auto operator+=(const X& x) const {
        return update([&](T& value) { return T(value += x); });
    }
    template <class X>
    auto operator-=(const X& x) const {
        return update([&](T& value) { return T(value -= x); });
    }
    template <class X>
    auto operator*=(const X& x) const {
        return update([&](T& value) { return T(value *= x); });
    }
    template <class X>
    auto operator/=(const X& x) const {
        return update([&](T& value) { return T(value /= x); });
    }
    template <class X>
    auto operator%=(const X& x) const {
        return update([&](T& value) { return T(value %= x); });
    }
    template <class X>
    auto operator&=(const X& x) const {
        return update([&](T& value) { return T(value &= x); });
    }
    template <class X>
    auto operator|=(const X& x) const {
        return update([&](T& value) { return T(value |= x); });
    }
    template <class X>
    auto operator^=(const X& x) const {
        return update([&](T& value) { return T(value ^= x); });
    }
    auto operator++() const {
        return update([](T& value) { return T(++value); });
    }
    auto operator--() const {
        return update([](T& value) { return T(--value); });
    }
    auto operator++(int) const {
        return update([](T& value) { return T(value++); });
    }
    auto operator--(int) const {
        return update([](T& value) { return T(value--); });
    }

private:
    friend detail::HandleBase<Value, Head>;
    explicit Value(detail::Received received) : Base(std::move(received)) {}
};

/// A fixed number of T that processes share, with a lock: a contiguous range with the interface of
/// a std::vector that does not grow. Elements are read and written without the lock; for loops,
/// call begin(), data() or span() once. A cheap handle: copies refer to the same elements; copy()
/// returns their content. Elements of a const Array are const.
///
/// Memory is taken when it is first touched.
///
/// Python: `multiprocessing.Array(typecode, size_or_initializer, lock=...)`.
template <class T>
class Array : public detail::HandleWithLock<Array<T>, detail::ArrayHead>, public detail::Elements<Array<T>, T> {
    static_assert(detail::require_sharing<T>());
    using Head = detail::ArrayHead;
    using Base = detail::HandleWithLock<Array<T>, Head>;
    using Element = detail::ElementOf<T>;

public:
    static constexpr char kind[] = "Array";

    /// Makes an Array without elements.
    Array() : Array(std::size_t{0}) {}
    /// Makes `size` zeros.
    explicit Array(std::size_t size) : Array(SharedOptions{}, size) {}
    Array(SharedOptions options, std::size_t size)
        : Base(options, detail::bytes_behind<Head, T>(size), detail::array_of_zeros<Head, T>(size)) {}
    /// Makes an Array of these elements.
    Array(std::initializer_list<Element> elements)
        requires(!std::convertible_to<const Array&, Element>)
        : Array(std::vector<Element>(elements), SharedOptions{}) {}
    /// Makes an Array of elements that an Array converts to; `Array b{a}` is another handle of `a`.
    template <std::same_as<Element> X>
        requires std::convertible_to<const Array&, X>
    Array(std::initializer_list<X> elements) : Array(std::vector<X>(elements), SharedOptions{}) {}
    Array(SharedOptions options, std::initializer_list<Element> elements)
        : Array(std::vector<Element>(elements), std::move(options)) {}
    template <detail::RangeOf<T, Array> Range>
    explicit Array(Range&& range) : Array(SharedOptions{}, std::forward<Range>(range)) {}
    template <detail::RangeOf<T, Array> Range>
    Array(SharedOptions options, Range&& range)
        : Array(detail::collected<T>(std::forward<Range>(range)), std::move(options)) {}

    std::size_t size() const { return static_cast<std::size_t>(this->body().size); }

    /// Returns `<SynchronizedArray wrapper for <multiprocessing.sharedctypes.c_int_Array_3 object
    /// at 0x7f1798d20ef0>>`. Python: `repr(arr)`.
    std::string repr() const {
        return std::string(std::is_same_v<T, char> ? "<SynchronizedString" : "<SynchronizedArray") +
               " wrapper for " + this->known([&] { return this->shown_elements(); }) + ">";
    }

    /// Returns the content, read under the lock. Python: `arr[:]`.
    auto copy() const {
        std::scoped_lock guard{this->get_lock()};
        return this->content();
    }

private:
    friend detail::HandleBase<Array, Head>;
    friend detail::Elements<Array, T>;
    explicit Array(detail::Received received) : Base(std::move(received)) {}
    Array(std::vector<Element> elements, SharedOptions options)
        : Base(options, detail::bytes_behind<Head, T>(elements.size()), detail::array_of<Head, T>(elements)) {}

    T* first() const { return detail::elements_behind<Head, T>(this->body()); }
};

/// One T that processes share, without a lock: synchronization is up to the program. Otherwise as
/// Value. Python: `multiprocessing.RawValue`.
template <class T>
class RawValue : public detail::HandleBase<RawValue<T>, detail::RawValueHead> {
    static_assert(detail::require_sharing<T>());
    using Head = detail::RawValueHead;
    using Base = detail::HandleBase<RawValue<T>, Head>;

public:
    static constexpr char kind[] = "RawValue";
    using value_type = T;

    /// Makes a T whose bytes are zero.
    RawValue() : Base([](Head&) {}, detail::room_behind<Head, T>) {}
    template <class... Argument>
        requires(sizeof...(Argument) > 0 && std::constructible_from<T, const Argument&...> &&
                 !(std::same_as<Argument, RawValue> || ...))
    explicit RawValue(Argument... argument)
        : Base(detail::value_of<Head, T>(std::move(argument)...), detail::room_behind<Head, T>) {}

    T& value() const { return *detail::elements_behind<Head, T>(this->body()); }
    /// Returns `c_int(3)`. Python: `repr(v)`.
    std::string repr() const {
        return this->known([&] { return detail::shown_content(value()); });
    }
    /// Returns the content at the moment.
    auto copy() const { return detail::content_of(value()); }

private:
    friend Base;
    explicit RawValue(detail::Received received) : Base(std::move(received)) {}
};

/// A fixed number of T that processes share, without a lock. Otherwise as Array. Python:
/// `multiprocessing.RawArray`.
template <class T>
class RawArray : public detail::HandleBase<RawArray<T>, detail::RawArrayHead>,
                 public detail::Elements<RawArray<T>, T> {
    static_assert(detail::require_sharing<T>());
    using Head = detail::RawArrayHead;
    using Base = detail::HandleBase<RawArray<T>, Head>;
    using Element = detail::ElementOf<T>;

public:
    static constexpr char kind[] = "RawArray";

    /// Makes a RawArray without elements.
    RawArray() : RawArray(std::size_t{0}) {}
    /// Makes `size` zeros.
    explicit RawArray(std::size_t size)
        : Base(detail::array_of_zeros<Head, T>(size), detail::bytes_behind<Head, T>(size)) {}
    /// Makes a RawArray of these elements.
    RawArray(std::initializer_list<Element> elements)
        requires(!std::convertible_to<const RawArray&, Element>)
        : RawArray(std::vector<Element>(elements), Collected{}) {}
    /// Makes a RawArray of these elements.
    template <std::same_as<Element> X>
        requires std::convertible_to<const RawArray&, X>
    RawArray(std::initializer_list<X> elements) : RawArray(std::vector<X>(elements), Collected{}) {}
    template <detail::RangeOf<T, RawArray> Range>
    explicit RawArray(Range&& range)
        : RawArray(detail::collected<T>(std::forward<Range>(range)), Collected{}) {}

    std::size_t size() const { return static_cast<std::size_t>(this->body().size); }
    /// Returns `<multiprocessing.sharedctypes.c_double_Array_3 object at 0x7f1798d21490>`. Python:
    /// `repr(arr)`.
    std::string repr() const {
        return this->known([&] { return this->shown_elements(); });
    }
    /// Returns the content at the moment.
    auto copy() const { return this->content(); }

private:
    struct Collected {};
    friend Base;
    friend detail::Elements<RawArray, T>;
    explicit RawArray(detail::Received received) : Base(std::move(received)) {}
    RawArray(std::vector<Element> elements, Collected)
        : Base(detail::array_of<Head, T>(elements), detail::bytes_behind<Head, T>(elements.size())) {}

    T* first() const { return detail::elements_behind<Head, T>(this->body()); }
};

template <class T>
Value(T) -> Value<T>;
template <class T>
Value(SharedOptions, T) -> Value<T>;
template <class T>
RawValue(T) -> RawValue<T>;
template <class T>
Array(std::initializer_list<T>) -> Array<T>;
template <class T>
Array(SharedOptions, std::initializer_list<T>) -> Array<T>;
template <class T>
RawArray(std::initializer_list<T>) -> RawArray<T>;
template <std::ranges::input_range Range>
Array(Range&&) -> Array<std::ranges::range_value_t<Range>>;
template <std::ranges::input_range Range>
Array(SharedOptions, Range&&) -> Array<std::ranges::range_value_t<Range>>;
template <std::ranges::input_range Range>
RawArray(Range&&) -> RawArray<std::ranges::range_value_t<Range>>;

} // namespace multiprocessing::inline v1
