#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file text.hpp  UTF-8 and UTF-16; command lines, put together and taken apart.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <boost/winapi/character_code_conversion.hpp>

namespace multiprocessing::inline v1::detail::platform {

/// Returns UTF-16 of UTF-8; what is not UTF-8 becomes replacement characters.
MULTIPROCESSING_INLINE std::wstring wide(std::string_view text);

/// Returns UTF-8 of UTF-16; what is not UTF-16 becomes replacement characters.
MULTIPROCESSING_INLINE std::string narrow(std::wstring_view text);

/// Appends an argument to a command line, such that split_command_line(), and every C runtime, gets
/// it back.
MULTIPROCESSING_INLINE void append_argument(std::wstring& line, std::wstring_view argument);

/// Returns the arguments of a command line, by the rules of the C runtime. (CommandLineToArgvW
/// would need shell32.)
MULTIPROCESSING_INLINE std::vector<std::wstring> split_command_line(std::wstring_view line);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstddef>
#include <utility>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::wstring wide(std::string_view text) {
    const int size = static_cast<int>(text.size());
    std::wstring result(static_cast<std::size_t>(
                            winapi::MultiByteToWideChar(winapi::CP_UTF8_, 0, text.data(), size, nullptr, 0)),
                        L'\0');
    winapi::MultiByteToWideChar(winapi::CP_UTF8_, 0, text.data(), size, result.data(),
                                static_cast<int>(result.size()));
    return result;
}

MULTIPROCESSING_INLINE std::string narrow(std::wstring_view text) {
    const int size = static_cast<int>(text.size());
    std::string result(static_cast<std::size_t>(winapi::WideCharToMultiByte(
                           winapi::CP_UTF8_, 0, text.data(), size, nullptr, 0, nullptr, nullptr)),
                       '\0');
    winapi::WideCharToMultiByte(winapi::CP_UTF8_, 0, text.data(), size, result.data(),
                                static_cast<int>(result.size()), nullptr, nullptr);
    return result;
}

MULTIPROCESSING_INLINE void append_argument(std::wstring& line, std::wstring_view argument) {
    if (!line.empty()) line += L' ';
    line += L'"';
    std::size_t backslashes = 0;
    for (const wchar_t letter : argument) {
        // Backslashes mean themselves, except before a quotation mark: there two of them mean one.
        if (letter == L'"') line.append(backslashes + 1, L'\\');
        backslashes = letter == L'\\' ? backslashes + 1 : 0;
        line += letter;
    }
    line.append(backslashes, L'\\');
    line += L'"';
}

MULTIPROCESSING_INLINE std::vector<std::wstring> split_command_line(std::wstring_view line) {
    std::vector<std::wstring> arguments;
    std::size_t at = 0;
    const auto blank = [&] { return line[at] == L' ' || line[at] == L'\t'; };
    const auto quote_at = [&](std::size_t place) { return place < line.size() && line[place] == L'"'; };
    const auto backslash = [&] { return at < line.size() && line[at] == L'\\'; };
    for (;;) {
        if (!arguments.empty()) {
            while (at < line.size() && blank()) ++at;
            if (at == line.size()) return arguments;
        }
        // In its name backslashes never escape, as they are in every path.
        const bool program = arguments.empty();
        std::wstring argument;
        bool quoted = false;
        for (; at < line.size() && (quoted || !blank()); ++at) {
            std::size_t backslashes = 0;
            for (; !program && backslash(); ++at) ++backslashes;
            if (backslashes && !quote_at(at)) {
                argument.append(backslashes, L'\\');
                --at; // the letter that follows them is looked at afresh
            } else if (quote_at(at) && backslashes % 2 == 0) {
                argument.append(backslashes / 2, L'\\');
                if (quoted && !program && quote_at(at + 1)) {
                    argument += line[++at]; // doubled within quotation marks: a literal one
                } else {
                    quoted = !quoted;
                }
            } else {
                argument.append(backslashes / 2, L'\\');
                argument += line[at];
            }
        }
        arguments.push_back(std::move(argument));
    }
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
