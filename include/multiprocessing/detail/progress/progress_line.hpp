#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file progress_line.hpp  The progress of a map as a line of text, in the words of tqdm.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/progress.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

/// Items a second, lately: later intervals count more. A mean since the begin would lag behind a
/// map whose items become slower or quicker.
class SmoothedRate {
public:
    /// `done` items were through `elapsed` after the begin.
    void note(std::size_t done, std::chrono::duration<double> elapsed) noexcept;
    /// 0: not known yet.
    double per_second() const noexcept { return seconds_ > 0 ? items_ / seconds_ : 0; }

private:
    static constexpr double smoothing = 0.3; // of tqdm: the weight of the newest interval

    std::size_t done_ = 0;
    double elapsed_ = 0;
    // Exponential means of the items of an interval and of its seconds. Both begin at 0, which
    // falsifies them by the same factor: their ratio is right from the first one on.
    double items_ = 0;
    double seconds_ = 0;
};

/// How many columns of a terminal `text` (UTF-8) takes. Characters that may be wide count twice.
MULTIPROCESSING_INLINE std::size_t columns_of(std::string_view text) noexcept;
/// As much of `text` as fits.
MULTIPROCESSING_INLINE std::string_view first_columns(std::string_view text, std::size_t columns) noexcept;
/// `text` without control characters, which would move the cursor.
MULTIPROCESSING_INLINE std::string without_controls(std::string text);

/// "0:07", "1:02:03"
MULTIPROCESSING_INLINE std::string time_text(double seconds);
/// "950", "1.20k", "36.4M": three digits, with a letter from 1000 on.
MULTIPROCESSING_INLINE std::string scaled_text(double number);
/// "36.4it/s"; the inverse below one a second, "2.50s/it"; "?it/s" if it is not known.
MULTIPROCESSING_INLINE std::string rate_text(double per_second);

/// "files:  45%|####5     | 450/1000 [0:12<0:15, 36.4it/s, 3 failed]", with a bar that fills
/// `columns`. Where that is too narrow for a bar, or if it is 0, the words alone. `at_end`: the
/// rate is that of all.
MULTIPROCESSING_INLINE std::string progress_line(const std::string& label, const ProgressReport& report,
                                                 bool at_end, std::size_t columns, bool in_blocks);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void SmoothedRate::note(std::size_t done,
                                               std::chrono::duration<double> elapsed) noexcept {
    const double seconds = elapsed.count() - elapsed_;
    // As long as nothing has ended, the interval grows.
    if (done <= done_ || seconds <= 0) return;
    items_ = smoothing * static_cast<double>(done - done_) + (1 - smoothing) * items_;
    seconds_ = smoothing * seconds + (1 - smoothing) * seconds_;
    done_ = done;
    elapsed_ = elapsed.count();
}

/// Calls `visit(begin, end, columns)` for each character, until that returns false. What is no
/// UTF-8 counts a column a byte.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
        std::uint32_t code = size == 1 ? lead : lead & (0x7Fu >> size);
        for (std::size_t i = 1; i < size; ++i) {
            const auto next = at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
            if ((next & 0xC0u) != 0x80u) {
                size = i;
                code = lead;
                break;
            }
            code = code << 6 | (next & 0x3Fu);
        }
        const bool is_block = code >= 0x2500 && code < 0x2600; // our own bars
        if (!visit(at, at + size, code >= 0x1100 && !is_block ? std::size_t{2} : std::size_t{1})) return;
        at += size;
    }
}

MULTIPROCESSING_INLINE std::size_t columns_of(std::string_view text) noexcept {
    std::size_t all = 0;
    for_each_character(text, [&](std::size_t, std::size_t, std::size_t columns) {
        all += columns;
        return true;
    });
    return all;
}

MULTIPROCESSING_INLINE std::string_view first_columns(std::string_view text, std::size_t columns) noexcept {
    std::size_t fits = 0;
    std::size_t left = columns;
    for_each_character(text, [&](std::size_t, std::size_t end, std::size_t wide) {
        if (wide > left) return false;
        left -= wide;
        fits = end;
        return true;
    });
    return text.substr(0, fits);
}

MULTIPROCESSING_INLINE std::string without_controls(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    return text;
}

MULTIPROCESSING_INLINE std::string time_text(double seconds) {
    const auto whole = std::lround((std::min)(seconds, 359'999.0));
    char text[32];
    if (whole >= 3600) {
        std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
    }
    return text;
}

/// Three digits, whatever the number is below 1000.
MULTIPROCESSING_INLINE std::string three_digits(double number) {
    char text[32];
    const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    std::snprintf(text, sizeof text, "%.*f", decimals, number);
    return text;
}

MULTIPROCESSING_INLINE std::string scaled_text(double number) {
    if (number < 999.5) {
        char text[32];
        std::snprintf(text, sizeof text, "%.0f", number);
        return text;
    }
    static constexpr std::array<const char*, 7> letters{"", "k", "M", "G", "T", "P", "E"};
    std::size_t letter = 0;
    for (; number >= 999.5 && letter + 1 < letters.size(); ++letter) number /= 1000;
    return three_digits(number) + letters[letter];
}

MULTIPROCESSING_INLINE std::string rate_text(double per_second) {
    if (per_second <= 0) return "?it/s";
    if (per_second < 1) return three_digits((std::min)(1 / per_second, 999'999.0)) + "s/it";
    return (per_second < 999.5 ? three_digits(per_second) : scaled_text(per_second)) + "it/s";
}

/// "####5     ": each character stands for as many as it has steps.
MULTIPROCESSING_INLINE std::string bar_text(double part, std::size_t room, bool in_blocks) {
    static constexpr std::array<const char*, 8> blocks{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static constexpr std::array<const char*, 10> digits{"", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const std::size_t steps = in_blocks ? blocks.size() : digits.size();
    const auto filled =
        static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(room * steps));
    const std::size_t whole = filled / steps;
    std::string bar;
    for (std::size_t i = 0; i < whole; ++i) bar += in_blocks ? "█" : "#";
    if (const std::size_t rest = filled % steps) {
        bar += in_blocks ? blocks[rest] : digits[rest];
        return bar.append(room - whole - 1, ' ');
    }
    return bar.append(room - whole, ' ');
}

MULTIPROCESSING_INLINE std::string progress_line(const std::string& label, const ProgressReport& report,
                                                 bool at_end, std::size_t columns, bool in_blocks) {
    constexpr std::size_t least_bar = 5;
    constexpr std::size_t most_bar = 40;
    // A million is the first number that is hard to read as it is.
    const auto count_text = [](std::size_t count) {
        return count < 1'000'000 ? std::to_string(count) : scaled_text(static_cast<double>(count));
    };
    const double seconds = report.elapsed.count();
    const double mean = seconds > 0 ? static_cast<double>(report.done) / seconds : 0;
    std::string rest = " [" + time_text(seconds);
    if (report.total != 0)
        rest += "<" + (report.per_second() > 0 || report.done == report.total ? time_text(report.seconds_left())
                                                                              : std::string("?"));
    rest += ", " + rate_text(at_end ? mean : report.per_second());
    if (report.failed != 0) rest += ", " + count_text(report.failed) + " failed";
    rest += "]";

    std::string begin = label.empty() ? std::string() : label + ": ";
    if (report.total == 0) return begin + count_text(report.done) + "it" + rest;

    const double part =
        (static_cast<double>(report.done) + report.under_way) / static_cast<double>(report.total);
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f%%", std::floor(std::clamp(part, 0.0, 1.0) * 100));
    begin += percent;
    rest = " " + count_text(report.done) + "/" + count_text(report.total) + rest;
    const std::size_t words = columns_of(begin) + 2 + rest.size();
    if (columns < words + least_bar) return begin + rest;
    return begin + "|" + bar_text(part, (std::min)(most_bar, columns - words), in_blocks) + "|" + rest;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
