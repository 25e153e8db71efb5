#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file list.hpp  ListProxy: a list in a manager's server.

#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/element_proxy.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/shown_value.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::managers {

/// A handle of a list in a manager's server. Each member is one call, and one step for all clients.
/// Indexes may be negative, then they count from the end; one that is not there is
/// `std::out_of_range`. Python: `ListProxy`.
template <class T>
class ListProxy : public detail::ProxyBase<ListProxy<T>, detail::ListBody<T>> {
    using Body = detail::ListBody<T>;

public:
    ListProxy() = default; // refers to nothing: to be assigned to

    using value_type = T;
    using Index = std::int64_t;
    using Element = detail::ElementProxy<ListProxy, Index, T>;
    using Bound = std::optional<Index>;

    /// Returns what reads, assigns and changes the element: `l[i] = x`, `T x = l[i]`, `l[i] += 1`,
    /// which is one step in the server; out of range as for dicts.
    Element operator[](Index index) const { return {*this, index}; }
    T at(Index index) const { return this->template invoke<&Body::at>(index); }
    void set(Index index, const T& value) const { this->template invoke<&Body::set>(index, value); }
    void append(const T& value) const { this->template invoke<&Body::append>(value); }
    void push_back(const T& value) const { append(value); }
    /// Appends all elements of a range, in one step.
    template <std::ranges::input_range Values>
    void extend(Values&& values) const {
        extend(detail::elements_of<T>(values));
    }
    void extend(std::vector<T> values) const { this->template invoke<&Body::extend>(std::move(values)); }
    template <std::ranges::input_range Values>
    const ListProxy& operator+=(Values&& values) const {
        extend(std::forward<Values>(values));
        return *this;
    }
    const ListProxy& operator*=(Index times) const {
        this->template invoke<&Body::repeat>(times);
        return *this;
    }
    void insert(Index index, const T& value) const { this->template invoke<&Body::insert>(index, value); }
    /// Erases the element, the last one unless said otherwise, and returns it.
    T pop(Index index = -1) const { return this->template invoke<&Body::pop>(index); }
    /// Erases the element. Python: `del l[i]`.
    void erase(Index index) const { this->template invoke<&Body::erase>(index); }
    /// Erases the first that is equal; throws `std::invalid_argument` if there is none.
    void remove(const T& value) const { this->template invoke<&Body::remove>(value); }
    /// Returns where the first is that is equal; throws `std::invalid_argument` if there is none.
    std::size_t index(const T& value) const { return this->template invoke<&Body::index>(value); }
    std::size_t count(const T& value) const { return this->template invoke<&Body::count>(value); }
    bool contains(const T& value) const { return this->template invoke<&Body::contains>(value); }
    void reverse() const { this->template invoke<&Body::reverse>(); }
    /// Sorts in the server, stably: by `<`, or by a function that crosses as one for a Process.
    void sort() const { this->template invoke<&Body::sort>(); }
    template <class Less>
    void sort(Less less) const {
        this->template invoke<&Body::template sort_by_order<Less>>(std::move(less));
    }
    /// Sorts by what `key(element)` returns. Python: `sort(key=...)`.
    template <class Key>
    void sort_by(Key key) const {
        this->template invoke<&Body::template sort_by<Key>>(std::move(key));
    }

    /// Python: `l[begin:end:step]`; nullopt is what is left out there.
    std::vector<T> slice(Bound begin, Bound end, Index step = 1) const {
        return this->template invoke<&Body::slice>(detail::ListSlice{begin, end, step});
    }
    void set_slice(Bound begin, Bound end, std::vector<T> values, Index step = 1) const {
        this->template invoke<&Body::set_slice>(detail::ListSlice{begin, end, step}, std::move(values));
    }
    void erase_slice(Bound begin, Bound end, Index step = 1) const {
        this->template invoke<&Body::erase_slice>(detail::ListSlice{begin, end, step});
    }

    /// Calls `function(T&, arguments...)` on the element, in the server, in one step, and returns
    /// what it returns.
    template <class Function, class... Arguments>
        requires std::is_invocable_v<std::decay_t<Function>&, T&, detail::OwnCarriedType<Arguments>...>
    auto update_with(Index index, Function&& function, Arguments&&... arguments) const {
        return this->template invoke<
            &Body::template update_with<std::decay_t<Function>, detail::OwnCarriedType<Arguments>...>>(
            index, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

    std::size_t size() const { return this->template invoke<&Body::size>(); }
    bool empty() const { return size() == 0; }
    void clear() const { this->template invoke<&Body::clear>(); }
    /// Returns the elements as a vector of this process. Python: `l[:]`, `_getvalue()`.
    std::vector<T> copy() const { return this->template invoke<&Body::copy>(); }

    /// Returns the elements, the last first. Python: `reversed(l)`.
    std::vector<T> reversed() const {
        auto result = copy();
        std::reverse(result.begin(), result.end());
        return result;
    }
    /// Returns the elements as text, as Python shows them. Python: `str(l)`.
    std::string str() const { return detail::shown_value(copy()); }

    /// Iterates over the elements as they are when it begins.
    detail::Snapshot<T> begin() const { return detail::Snapshot<T>(copy()); }
    std::default_sentinel_t end() const { return {}; }

private:
    template <class, class, class>
    friend class detail::ElementProxy;
    friend detail::ProxyBase<ListProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"ListProxy", "list"}; }
    explicit ListProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<ListProxy, Body>(std::move(received)) {}

    template <detail::Compound Operation, class Operand>
    T compound(Index index, const Operand& operand) const {
        return this
            ->template invoke<&Body::template compound<Operation, detail::OwnCarriedType<const Operand&>>>(
                index, operand);
    }
};

} // namespace multiprocessing::inline v1::managers
