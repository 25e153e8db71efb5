#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shareable_value.hpp  The values that a ShareableList can hold.

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace multiprocessing::inline v1 {

namespace shared_memory {

class ShareableValue;

} // namespace shared_memory

namespace detail {

template <class T>
inline constexpr bool is_letter =
    std::is_same_v<T, char> || std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
    std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

template <class T>
constexpr bool is_shareable();

template <class T>
inline constexpr bool is_shareable_template = false;
template <class T>
inline constexpr bool is_shareable_template<std::optional<T>> = is_shareable<T>();
template <class... T>
inline constexpr bool is_shareable_template<std::variant<T...>> = (is_shareable<T>() && ...);

template <class T>
inline constexpr bool is_none =
    std::is_null_pointer_v<T> || std::is_same_v<T, std::nullopt_t> || std::is_same_v<T, std::monostate>;

// A letter by itself is neither a number nor a text. A byte is no number.
template <class T>
constexpr bool is_shareable() {
    return is_none<T> || (std::is_integral_v<T> && !is_letter<T>) || std::is_floating_point_v<T> ||
           std::is_convertible_v<const T&, std::string_view> ||
           std::is_convertible_v<const T&, std::span<const std::byte>> || is_shareable_template<T>;
}

} // namespace detail

namespace shared_memory {

/// A type whose values a ShareableList can hold: integers that fit into 64 bits, floating-point
/// types, `bool`, text (UTF-8), bytes (`std::vector<std::byte>`, a span of them), `nullptr`;
/// `optional` and `variant` of these.
template <class T>
concept Shareable = std::same_as<T, ShareableValue> || detail::is_shareable<T>();

/// A value of a ShareableList: a `std::variant` (`std::get`, `std::visit`) that converts from any
/// Shareable value and compares with it. Equality is Python's: numbers compare by value, whatever
/// their type, so `1 == 1.0 == true`.
class ShareableValue
    : public std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, std::vector<std::byte>> {
public:
    using Variant = variant;

    /// Makes None.
    ShareableValue() noexcept = default;

    /// Throws `std::out_of_range` for an integer beyond signed 64 bits.
    template <class T>
        requires(Shareable<T> && !std::same_as<T, ShareableValue>)
    ShareableValue(const T& value) {
        assign(value);
    }

    friend bool operator==(const ShareableValue& a, const ShareableValue& b) {
        if (a.index() == b.index()) return a.variant_of() == b.variant_of();
        const std::optional<std::int64_t> left = a.integer();
        const std::optional<std::int64_t> right = b.integer();
        if (left && right) return *left == *right;
        if (const double* number = std::get_if<double>(&a.variant_of()))
            return right && equals(*right, *number);
        if (const double* number = std::get_if<double>(&b.variant_of())) return left && equals(*left, *number);
        return false;
    }
    template <class T>
        requires(Shareable<T> && !std::same_as<T, ShareableValue>)
    friend bool operator==(const ShareableValue& a, const T& b) {
        return a == ShareableValue(b);
    }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(static_cast<Variant&>(*this));
    }

private:
    const Variant& variant_of() const noexcept { return *this; }

    std::optional<std::int64_t> integer() const noexcept;

    /// Compares exactly: most integers beyond 53 bits have no double.
    static bool equals(std::int64_t integer, double number) noexcept;

    template <class T>
    void assign(const T& value) {
        if constexpr (detail::is_none<T>) {
            this->template emplace<std::nullptr_t>();
        } else if constexpr (std::is_same_v<T, bool>) {
            this->template emplace<bool>(value);
        } else if constexpr (std::is_integral_v<T>) {
            if (!std::in_range<std::int64_t>(value)) {
                throw std::out_of_range(
                    "multiprocessing: " + std::to_string(value) +
                    " is too large for a ShareableList, whose integers have 64 bits and a sign");
            }
            this->template emplace<std::int64_t>(static_cast<std::int64_t>(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            this->template emplace<double>(static_cast<double>(value));
        } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
            this->template emplace<std::string>(std::string_view(value));
        } else if constexpr (std::is_convertible_v<const T&, std::span<const std::byte>>) {
            const std::span<const std::byte> bytes = value;
            this->template emplace<std::vector<std::byte>>(bytes.begin(), bytes.end());
        } else if constexpr (requires { value.has_value(); }) {
            if (value) assign(*value);
        } else {
            std::visit([this](const auto& alternative) { this->assign(alternative); }, value);
        }
    }
};

} // namespace shared_memory

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::shared_memory {

MULTIPROCESSING_INLINE std::optional<std::int64_t> ShareableValue::integer() const noexcept {
    if (const bool* truth = std::get_if<bool>(this)) return *truth ? 1 : 0;
    if (const std::int64_t* number = std::get_if<std::int64_t>(this)) return *number;
    return std::nullopt;
}

MULTIPROCESSING_INLINE bool ShareableValue::equals(std::int64_t integer, double number) noexcept {
    constexpr double limit = 9223372036854775808.0; // 2 to the 63rd
    if (!(number >= -limit && number < limit)) return false;
    const auto whole = static_cast<std::int64_t>(number);
    return static_cast<double>(whole) == number && whole == integer;
}

} // namespace multiprocessing::inline v1::shared_memory

#endif // MULTIPROCESSING_BODIES
