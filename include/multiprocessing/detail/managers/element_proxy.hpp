#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file element_proxy.hpp  What `d[key]` and `l[i]` of a managed container give.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>

#include <concepts>
#include <iosfwd>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// One element of a managed container: reading and assigning are calls, and so is a compound
/// assignment, which is one step in the server. Holds the proxy, so it may outlive it.
///
/// It has no members of V: what they changed would be a copy. `update_with` of the container
/// changes an element in place.
template <class Proxy, class Key, class V>
class ElementProxy {
public:
    ElementProxy(Proxy proxy, Key key) : proxy_(std::move(proxy)), key_(std::move(key)) {}
    ElementProxy(const ElementProxy&) = default;

    V get() const { return proxy_.at(key_); }
    operator V() const { return get(); } // NOLINT: converts

    const ElementProxy& operator=(const V& value) const {
        proxy_.set(key_, value);
        return *this;
    }
    const ElementProxy& operator=(const ElementProxy& other) const { return *this = other.get(); } // NOLINT

    template <class Operand>
    V operator+=(const Operand& operand) const {
        return proxy_.template compound<Compound::add>(key_, operand);
    }
    template <class Operand>
    V operator-=(const Operand& operand) const {
        return proxy_.template compound<Compound::subtract>(key_, operand);
    }
    template <class Operand>
    V operator*=(const Operand& operand) const {
        return proxy_.template compound<Compound::multiply>(key_, operand);
    }
    template <class Operand>
    V operator/=(const Operand& operand) const {
        return proxy_.template compound<Compound::divide>(key_, operand);
    }
    template <class Operand>
    V operator%=(const Operand& operand) const {
        return proxy_.template compound<Compound::remainder>(key_, operand);
    }
    template <class Operand>
    V operator|=(const Operand& operand) const {
        return proxy_.template compound<Compound::bit_or>(key_, operand);
    }
    template <class Operand>
    V operator&=(const Operand& operand) const {
        return proxy_.template compound<Compound::bit_and>(key_, operand);
    }
    template <class Operand>
    V operator^=(const Operand& operand) const {
        return proxy_.template compound<Compound::bit_xor>(key_, operand);
    }
    template <class Operand>
    V operator<<=(const Operand& operand) const {
        return proxy_.template compound<Compound::shift_left>(key_, operand);
    }
    template <class Operand>
    V operator>>=(const Operand& operand) const {
        return proxy_.template compound<Compound::shift_right>(key_, operand);
    }
    V operator++() const { return *this += 1; }
    V operator--() const { return *this -= 1; }
    V operator++(int) const { return static_cast<V>((*this += 1) - 1); }
    V operator--(int) const { return static_cast<V>((*this -= 1) + 1); }

    template <class Other>
        requires(!std::same_as<Other, ElementProxy> && std::convertible_to<const Other&, V>)
    friend bool operator==(const ElementProxy& element, const Other& other) {
        return element.get() == other;
    }
    friend bool operator==(const ElementProxy& a, const ElementProxy& b) { return a.get() == b.get(); }
    friend std::ostream& operator<<(std::ostream& stream, const ElementProxy& element)
        requires requires(std::ostream& s, const V& v) { s << v; }
    {
        return stream << element.get();
    }

private:
    Proxy proxy_;
    Key key_;
};

} // namespace multiprocessing::inline v1::detail
