#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fixed_text.hpp  Text that the compiler puts together: as a template argument it appears in
/// its messages.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <string_view>

namespace multiprocessing::inline v1::detail {

/// `Length` characters and a terminator. Structural: may be the value of a template argument.
template <std::size_t Length>
struct FixedText {
    char text[Length + 1];

    constexpr std::string_view view() const { return {text, Length}; }
    constexpr bool empty() const { return Length == 0; }
};

/// Text that grows while the compiler runs; what exceeds the room is cut and marked with dots.
class TextBuilder {
public:
    static constexpr std::size_t room = 1500;

    constexpr TextBuilder& add(std::string_view more) {
        for (const char c : more) add(c);
        return *this;
    }

    constexpr TextBuilder& add(char c) {
        if (size_ < room) {
            text_[size_++] = c;
        } else {
            for (std::size_t i = room - 3; i < room; ++i) text_[i] = '.';
        }
        return *this;
    }

    constexpr TextBuilder& add(std::size_t number) {
        if (number > 9) add(number / 10);
        return add(static_cast<char>('0' + number % 10));
    }

    constexpr std::size_t size() const { return size_; }

    template <std::size_t Length>
    constexpr FixedText<Length> fixed() const {
        FixedText<Length> result{};
        for (std::size_t i = 0; i < Length; ++i) result.text[i] = text_[i];
        return result;
    }

private:
    char text_[room]{};
    std::size_t size_ = 0;
};

} // namespace multiprocessing::inline v1::detail
