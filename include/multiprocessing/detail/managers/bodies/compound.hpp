#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file compound.hpp  Compound assignments that are one step in a manager's server.

#include <multiprocessing/detail/config.hpp>

#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

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

/// Throws for a shift that no processor agrees on with another.
template <class T, class Operand>
void require_shift([[maybe_unused]] const T& value, [[maybe_unused]] const Operand& operand) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<Operand>) {
        constexpr int bits = std::numeric_limits<std::make_unsigned_t<decltype(+value)>>::digits;
        if (std::cmp_less(+operand, 0) || std::cmp_greater_equal(+operand, bits))
            throw std::domain_error("multiprocessing: a shift by " + std::to_string(operand) +
                                    " of a type of " + std::to_string(bits) + " bits");
    }
}

/// What fits into a T, of what a calculation has given.
template <class T, class Result>
T narrowed(const Result& result) {
    if constexpr (std::is_integral_v<T> && std::is_floating_point_v<Result>) {
        using Limits = std::numeric_limits<T>;
        if (!(result >= static_cast<Result>((Limits::min)()) &&
              result < 2 * static_cast<Result>((Limits::max)() / 2 + 1)))
            throw std::overflow_error("multiprocessing: the result of an assignment is out of range");
    }
    return static_cast<T>(result);
}

/// Integers wrap, as the unsigned ones do: whatever a client gives is defined in the server.
template <class T, class Operand, class Calculate>
T calculated(const T& value, const Operand& operand, Calculate calculate) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<Operand>) {
        using Wide = std::make_unsigned_t<decltype(value + operand)>;
        return static_cast<T>(calculate(static_cast<Wide>(value), static_cast<Wide>(operand)));
    } else {
        return narrowed<T>(calculate(value, operand));
    }
}

/// `value op= operand`. A narrow type is widened and narrowed as the operator itself does it.
template <Compound Operation, class T, class Operand>
void apply_compound(T& value, const Operand& operand) {
    if constexpr (Operation == Compound::divide || Operation == Compound::remainder)
        require_divisible(value, operand);
    if constexpr (Operation == Compound::shift_left || Operation == Compound::shift_right)
        require_shift(value, operand);
    if constexpr (Operation == Compound::add)
        value = calculated(value, operand, [](const auto& a, const auto& b) { return a + b; });
    if constexpr (Operation == Compound::subtract)
        value = calculated(value, operand, [](const auto& a, const auto& b) { return a - b; });
    if constexpr (Operation == Compound::multiply)
        value = calculated(value, operand, [](const auto& a, const auto& b) { return a * b; });
    if constexpr (Operation == Compound::divide) value = narrowed<T>(value / operand);
    if constexpr (Operation == Compound::remainder) value = static_cast<T>(value % operand);
    if constexpr (Operation == Compound::bit_or) value = static_cast<T>(value | operand);
    if constexpr (Operation == Compound::bit_and) value = static_cast<T>(value & operand);
    if constexpr (Operation == Compound::bit_xor) value = static_cast<T>(value ^ operand);
    if constexpr (Operation == Compound::shift_left) value = static_cast<T>(value << operand);
    if constexpr (Operation == Compound::shift_right) value = static_cast<T>(value >> operand);
}

} // namespace multiprocessing::inline v1::detail
