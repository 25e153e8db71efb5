#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file screen.hpp  What a terminal shows of what is written to it.

#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

namespace unit {

/// A terminal of so many columns, and as many rows as are needed, that knows carriage return, new
/// line, cursor up and "erase to the end of the screen".
class Screen {
public:
    explicit Screen(std::size_t columns) : columns_(columns) {}

    void write(const std::string& text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\r') {
                column_ = 0;
            } else if (text[i] == '\n') {
                ++row_; // lines end as they were written, but programs mean this
                column_ = 0;
            } else if (text[i] == '\x1b') {
                i = sequence(text, i);
            } else {
                put(text[i]);
            }
        }
    }

    /// Without spaces at its end.
    std::string line(std::size_t row) const {
        std::string text = row < lines_.size() ? lines_[row] : std::string();
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    }
    /// How many lines show something.
    std::size_t used() const {
        std::size_t last = lines_.size();
        while (last > 0 && line(last - 1).empty()) --last;
        return last;
    }
    std::size_t row() const noexcept { return row_; }
    std::size_t column() const noexcept { return column_; }

private:
    std::size_t sequence(const std::string& text, std::size_t at) {
        const std::size_t end = text.find_first_of("AJ", at);
        const auto number = static_cast<std::size_t>(std::atoi(text.c_str() + at + 2));
        if (text[end] == 'A') {
            row_ -= number < row_ ? number : row_;
        } else {
            if (row_ < lines_.size()) lines_[row_].resize(column_);
            lines_.resize(row_ + 1);
        }
        return end;
    }
    void put(char c) {
        if (column_ == columns_) {
            ++row_;
            column_ = 0;
        }
        if (lines_.size() <= row_) lines_.resize(row_ + 1);
        if (lines_[row_].size() <= column_) lines_[row_].resize(column_ + 1, ' ');
        lines_[row_][column_++] = c;
    }

    const std::size_t columns_;
    std::vector<std::string> lines_;
    std::size_t row_ = 0;
    std::size_t column_ = 0;
};

} // namespace unit
