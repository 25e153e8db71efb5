#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file set.hpp  SetProxy: a set in a manager's server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/set_body.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/shown_value.hpp>
#include <multiprocessing/detail/managers/snapshot.hpp>

#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::managers {

/// A handle of a set in a manager's server; `<` orders its elements. Each member is one call, and
/// one step for all clients. The other side of an operator is a set of this process: another
/// proxy's `copy()`. Python 3.14: `SetProxy`.
template <class T>
class SetProxy : public detail::ProxyBase<SetProxy<T>, detail::SetBody<T>> {
    using Body = detail::SetBody<T>;
    using Operation = detail::SetOperation;

public:
    SetProxy() = default; // refers to nothing: to be assigned to

    using value_type = T;
    using Local = std::set<T>;

    /// Adds the element; returns whether it was new.
    bool add(const T& value) const { return this->template invoke<&Body::add>(value); }
    /// Erases the element; returns whether it was there.
    bool discard(const T& value) const { return this->template invoke<&Body::discard>(value); }
    /// Erases the element; throws `std::out_of_range` if it is not there.
    void remove(const T& value) const { this->template invoke<&Body::remove>(value); }
    /// Erases an element, and returns it; throws `std::out_of_range` if there is none.
    T pop() const { return this->template invoke<&Body::pop>(); }
    bool contains(const T& value) const { return this->template invoke<&Body::contains>(value); }
    std::size_t size() const { return this->template invoke<&Body::size>(); }
    bool empty() const { return size() == 0; }
    void clear() const { this->template invoke<&Body::clear>(); }

    void update(const Local& other) const { this->template invoke<&Body::update>(Operation::unite, other); }
    const SetProxy& operator|=(const Local& other) const { return change(Operation::unite, other); }
    const SetProxy& operator&=(const Local& other) const { return change(Operation::intersect, other); }
    const SetProxy& operator-=(const Local& other) const { return change(Operation::subtract, other); }
    const SetProxy& operator^=(const Local& other) const { return change(Operation::differ, other); }
    Local operator|(const Local& other) const { return combined(Operation::unite, other); }
    Local operator&(const Local& other) const { return combined(Operation::intersect, other); }
    Local operator-(const Local& other) const { return combined(Operation::subtract, other); }
    Local operator^(const Local& other) const { return combined(Operation::differ, other); }
    bool issubset(const Local& other) const { return this->template invoke<&Body::is_part_of>(other); }
    bool issuperset(const Local& other) const { return this->template invoke<&Body::holds_all_of>(other); }
    bool isdisjoint(const Local& other) const { return this->template invoke<&Body::is_apart_from>(other); }

    /// Returns the elements as a set of this process. Python: `_getvalue()`.
    Local copy() const { return this->template invoke<&Body::copy>(); }

    /// Returns the elements as text, as Python shows them. Python: `str(s)`.
    std::string str() const { return detail::shown_value(copy()); }

    /// Iterates over the elements as they are when it begins, in order.
    detail::Snapshot<T> begin() const {
        const Local local = copy();
        return detail::Snapshot<T>(std::vector<T>(local.begin(), local.end()));
    }
    std::default_sentinel_t end() const { return {}; }

private:
    friend detail::ProxyBase<SetProxy, Body>;
    friend class BaseManager; // makes it
    static detail::ProxyNames python_names() { return {"SetProxy", "set"}; }
    explicit SetProxy(detail::ReceivedProxy received)
        : detail::ProxyBase<SetProxy, Body>(std::move(received)) {}

    const SetProxy& change(Operation operation, const Local& other) const {
        this->template invoke<&Body::update>(operation, other);
        return *this;
    }
    Local combined(Operation operation, const Local& other) const {
        return this->template invoke<&Body::combined>(operation, other);
    }
};

} // namespace multiprocessing::inline v1::managers
