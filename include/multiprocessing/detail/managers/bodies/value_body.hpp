#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file value_body.hpp  A managed Value, in the server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>

#include <utility>

namespace multiprocessing::inline v1::detail {

template <class T>
class ValueBody {
public:
    using multiprocessing_brief = void;

    explicit ValueBody(T value) : value_(std::move(value)) {}

    T get() const { return value_; }
    void set(T value) { value_ = std::move(value); }
    template <Compound Operation, class Operand>
    T compound(const Operand& operand) {
        apply_compound<Operation>(value_, operand);
        return value_;
    }
    template <class F, class... A>
    auto update_with(F function, A... arguments) {
        return function(value_, std::move(arguments)...);
    }

private:
    T value_;
};

} // namespace multiprocessing::inline v1::detail
