#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file compound.hpp  Compound assignments that are one step in a manager's server.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail {

enum class Compound {
    add,
    subtract,
    multiply,
    divide,
    remainder,
    bit_or,
    bit_and,
    bit_xor,
    shift_left,
    shift_right
};

/// `value op= operand`. A narrow type is widened and narrowed as the operator itself does it.
template <Compound Operation, class T, class Operand>
void apply_compound(T& value, const Operand& operand) {
    if constexpr (Operation == Compound::add) value = static_cast<T>(value + operand);
    if constexpr (Operation == Compound::subtract) value = static_cast<T>(value - operand);
    if constexpr (Operation == Compound::multiply) value = static_cast<T>(value * operand);
    if constexpr (Operation == Compound::divide) value = static_cast<T>(value / operand);
    if constexpr (Operation == Compound::remainder) value = static_cast<T>(value % operand);
    if constexpr (Operation == Compound::bit_or) value = static_cast<T>(value | operand);
    if constexpr (Operation == Compound::bit_and) value = static_cast<T>(value & operand);
    if constexpr (Operation == Compound::bit_xor) value = static_cast<T>(value ^ operand);
    if constexpr (Operation == Compound::shift_left) value = static_cast<T>(value << operand);
    if constexpr (Operation == Compound::shift_right) value = static_cast<T>(value >> operand);
}

} // namespace multiprocessing::inline v1::detail
