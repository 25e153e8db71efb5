#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file outcome.hpp  Outcome: what came of one item of a map, a value or an error.

#include <multiprocessing/detail/config.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace multiprocessing::inline v1 {

/// What came of one item: its result, or the exception that it ended with. R is what the function
/// returns, also `void`.
///
/// C++23: `std::expected<R, std::exception_ptr>`.
template <class R>
class Outcome {
    using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

public:
    using value_type = R;

    Outcome()
        requires(std::is_void_v<R>)
        : value_(std::in_place) {}
    Outcome(Value value) : value_(std::move(value)) {}
    Outcome(std::exception_ptr error) noexcept : error_(std::move(error)) {}

    bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// Returns the result, moved out of an rvalue; throws the item's error if there is none.
    decltype(auto) value() const& {
        require_value();
        if constexpr (!std::is_void_v<R>) return static_cast<const Value&>(*value_);
    }
    decltype(auto) value() & {
        require_value();
        if constexpr (!std::is_void_v<R>) return static_cast<Value&>(*value_);
    }
    R value() && {
        require_value();
        if constexpr (!std::is_void_v<R>) return std::move(*value_);
    }

    /// Return the result, which must be there.
    const Value& operator*() const& noexcept
        requires(!std::is_void_v<R>)
    {
        return *value_;
    }
    Value& operator*() & noexcept
        requires(!std::is_void_v<R>)
    {
        return *value_;
    }
    Value operator*() &&
            requires(!std::is_void_v<R>)
    {
        return std::move(*value_);
    }
    const Value* operator->() const noexcept
        requires(!std::is_void_v<R>)
    {
        return &*value_;
    }
    Value* operator->() noexcept
        requires(!std::is_void_v<R>)
    {
        return &*value_;
    }

    /// Returns the result, or `otherwise` if there is none.
    template <class Other>
    Value value_or(Other&& otherwise) const&
        requires(!std::is_void_v<R>)
    {
        return value_ ? *value_ : static_cast<Value>(std::forward<Other>(otherwise));
    }
    template <class Other>
        Value value_or(Other&& otherwise) &&
            requires(!std::is_void_v<R>)
    {
        return value_ ? std::move(*value_) : static_cast<Value>(std::forward<Other>(otherwise));
    }

    /// Returns the exception; null where there is a result.
    const std::exception_ptr& error() const noexcept { return error_; }

private:
    void require_value() const {
        if (value_) return;
        if (!error_)
            throw std::logic_error(
                "multiprocessing: this Outcome was made of no exception, so it holds nothing");
        std::rethrow_exception(error_);
    }

    std::optional<Value> value_;
    std::exception_ptr error_;
};

} // namespace multiprocessing::inline v1
