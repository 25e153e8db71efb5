#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file text_form.hpp  Texts and numbers in the form in which Python shows them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <atomic>
#include <string>
#include <string_view>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Returns Python's `repr` of a text: 'name', or "it's".
MULTIPROCESSING_INLINE std::string shown(std::string_view text);

/// Returns Python's `hex` of an address.
MULTIPROCESSING_INLINE std::string shown_address(const void* address);

/// Returns Python's `repr` of a number: the shortest text that reads as the same number, with a
/// point or an exponent.
MULTIPROCESSING_INLINE std::string shown(double number);

/// Returns what ctypes calls a T: c_int; the compiler's name for what is no number.
template <class T>
std::string ctype_name() {
    if constexpr (std::is_same_v<T, bool>) return "c_bool";
    if constexpr (std::is_same_v<T, char>) return "c_char";
    if constexpr (std::is_same_v<T, signed char>) return "c_byte";
    if constexpr (std::is_same_v<T, unsigned char>) return "c_ubyte";
    if constexpr (std::is_same_v<T, short>) return "c_short";
    if constexpr (std::is_same_v<T, unsigned short>) return "c_ushort";
    if constexpr (std::is_same_v<T, int>) return "c_int";
    if constexpr (std::is_same_v<T, unsigned>) return "c_uint";
    if constexpr (std::is_same_v<T, long>) return "c_long";
    if constexpr (std::is_same_v<T, unsigned long>) return "c_ulong";
    if constexpr (std::is_same_v<T, long long>) return "c_longlong";
    if constexpr (std::is_same_v<T, unsigned long long>) return "c_ulonglong";
    if constexpr (std::is_same_v<T, float>) return "c_float";
    if constexpr (std::is_same_v<T, double>) return "c_double";
    if constexpr (std::is_same_v<T, long double>) return "c_longdouble";
    if constexpr (std::is_same_v<T, wchar_t>) return "c_wchar";
    return readable(spelled_name<T>());
}

/// Returns what ctypes shows of a T in shared memory: c_int(3); its address, if it is no number.
template <class T>
std::string shown_content(const T& content) {
    if constexpr (std::is_same_v<T, bool>) {
        return content ? "c_bool(True)" : "c_bool(False)";
    } else if constexpr (std::is_same_v<T, char>) {
        return "c_char(b" + shown(std::string_view(&content, 1)) + ")";
    } else if constexpr (std::is_floating_point_v<T>) {
        return ctype_name<T>() + "(" + shown(static_cast<double>(content)) + ")";
    } else if constexpr (std::is_integral_v<T>) {
        return ctype_name<T>() + "(" + std::to_string(content) + ")";
    } else if constexpr (std::is_enum_v<T>) {
        return ctype_name<T>() + "(" + std::to_string(+static_cast<std::underlying_type_t<T>>(content)) + ")";
    } else {
        return "<" + ctype_name<T>() + " object at " + shown_address(&content) + ">";
    }
}
template <class T>
std::string shown_content(const std::atomic<T>& content) {
    return shown_content(content.load());
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::string shown(std::string_view text) {
    const bool has_single = text.find('\'') != text.npos;
    const char quote = has_single && text.find('"') == text.npos ? '"' : '\'';
    std::string result(1, quote);
    for (const char c : text) {
        if (c == quote || c == '\\') {
            result += '\\';
            result += c;
        } else if (c == '\n') {
            result += "\\n";
        } else if (c == '\r') {
            result += "\\r";
        } else if (c == '\t') {
            result += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            char code[8];
            std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
            result += code;
        } else {
            result += c;
        }
    }
    return result + quote;
}

MULTIPROCESSING_INLINE std::string shown_address(const void* address) {
    char text[32];
    std::snprintf(text, sizeof text, "%#llx",
                  static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(address)));
    return text;
}

MULTIPROCESSING_INLINE std::string shown(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    char text[40];
    for (int digits = 1; digits <= 17; ++digits) {
        std::snprintf(text, sizeof text, "%.*g", digits, number);
        if (std::strtod(text, nullptr) == number) break;
    }
    std::string result = text;
    const double size = std::fabs(number);
    if (size >= 1e16 || (size < 1e-4 && size != 0)) return result; // with an exponent, in both
    if (result.find('e') != result.npos) {
        std::snprintf(text, sizeof text, "%.0f", number);
        result = text;
    }
    if (result.find('.') == result.npos) result += ".0";
    return result;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
