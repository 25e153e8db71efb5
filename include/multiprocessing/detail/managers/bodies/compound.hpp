#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file compound.hpp  Compound assignments that are one step in a manager's server.

#include <multiprocessing/detail/config.hpp>

#include <limits>
#include <stdexcept>
#include <type_traits>

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

/// Throws where the processor would end the server: at a division of integers by zero, or of the
/// least one by -1.
template <class T, class Operand>
void require_divisible([[maybe_unused]] const T& value, [[maybe_unused]] const Operand& operand) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<Operand>) {
        using Wide = decltype(value + operand);
        if (operand == Operand{}) throw std::domain_error("multiprocessing: division by zero");
        if constexpr (std::is_signed_v<Wide>) {
            if (static_cast<Wide>(operand) == -1 &&
                static_cast<Wide>(value) == (std::numeric_limits<Wide>::min)())
                throw std::overflow_error("multiprocessing: the quotient of a division is out of range");
        }
    }
}

/// `value op= operand`. A narrow type is widened and narrowed as the operator itself does it.
template <Compound Operation, class T, class Operand>
void apply_compound(T& value, const Operand& operand) {
    if constexpr (Operation == Compound::divide || Operation == Compound::remainder)
        require_divisible(value, operand);
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
