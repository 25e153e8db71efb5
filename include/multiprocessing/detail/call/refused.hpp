#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file refused.hpp  What a call gives that the compiler refuses, so that the reason stays its
/// only error.

#include <multiprocessing/detail/config.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iosfwd>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Goes wherever the result of the call would have gone: it converts to anything and is made of
/// anything, is a range, prints, and has the members of the results of a pool. No program that
/// compiles has such an object.
class Refused {
public:
    using multiprocessing_no_type = void; // does not cross, as it stands for a type that was not given

    Refused() = default;
    template <class... T>
        requires(sizeof...(T) > 1 || !(std::same_as<std::remove_cvref_t<T>, Refused> || ...))
    Refused(T&&...) noexcept {} // NOLINT: converts

    template <class T>
    operator T() const { // NOLINT: converts
        std::terminate();
    }

    // as a range
    Refused* begin() const { return nullptr; }
    Refused* end() const { return nullptr; }
    std::size_t size() const { return 0; }
    bool empty() const { return nothing_; }
    Refused front() const { return {}; }
    Refused back() const { return {}; }
    template <class Index>
    Refused operator[](const Index&) const {
        return {};
    }
    template <class Index>
    Refused at(const Index&) const {
        return {};
    }

    // as an AsyncResult, a Future, an Outcome, an optional
    template <class... Anything>
    Refused get(const Anything&...) const {
        return {};
    }
    template <class... Anything>
    Refused result(const Anything&...) const {
        return {};
    }
    template <class... Anything>
    Refused next(const Anything&...) const {
        return {};
    }
    template <class... Anything>
    Refused then(const Anything&...) const {
        return {};
    }
    template <class... Anything>
    bool wait(const Anything&...) const {
        return true;
    }
    bool ready() const { return true; }
    bool done() const { return true; }
    bool successful() const { return true; }
    bool cancel() const { return true; }
    bool kill() const { return true; }
    bool has_value() const { return true; }
    Refused value() const { return {}; }
    std::exception_ptr error() const { return {}; }
    Refused operator*() const { return {}; }
    const Refused* operator->() const { return this; }

    template <class T>
    friend bool operator==(const Refused&, const T&) {
        return true;
    }
    template <class T>
    friend std::strong_ordering operator<=>(const Refused&, const T&) {
        return std::strong_ordering::equal;
    }

    template <class Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Refused&) {
        return out;
    }

    template <class A, class B>
        requires(std::same_as<A, Refused> || std::same_as<B, Refused>)
    friend Refused operator+(const A&, const B&) {
        return {};
    }
    template <class A, class B>
        requires(std::same_as<A, Refused> || std::same_as<B, Refused>)
    friend Refused operator-(const A&, const B&) {
        return {};
    }
    template <class A, class B>
        requires(std::same_as<A, Refused> || std::same_as<B, Refused>)
    friend Refused operator*(const A&, const B&) {
        return {};
    }
    template <class A, class B>
        requires(std::same_as<A, Refused> || std::same_as<B, Refused>)
    friend Refused operator/(const A&, const B&) {
        return {};
    }

private:
    bool nothing_ = true; // with a state it is no class that crosses
};

/// A keyword argument as in Python that has no default, so that an aggregate with one is not made
/// without it.
class Keyword {
public:
    template <class T>
        requires(!std::same_as<std::remove_cvref_t<T>, Keyword>)
    Keyword(T&&) noexcept {} // NOLINT: converts
};

/// Gives a T of the call that was refused, where the compiler knows what the call would have given.
/// Never runs.
template <class T>
[[noreturn]] T refused_result() {
    std::terminate();
}

} // namespace multiprocessing::inline v1::detail
