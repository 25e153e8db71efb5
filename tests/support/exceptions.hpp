#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file exceptions.hpp  Exception types of the tests' own, registered in main() as a program would.

#include <stdexcept>
#include <string>

namespace support {

/// A class with data, by a hook.
struct ParseError : std::runtime_error {
    ParseError() : std::runtime_error("") {}
    ParseError(const std::string& what, int at) : std::runtime_error(what), text(what), line(at) {}
    const char* what() const noexcept override { return text.c_str(); }

    template <class Archive>
    void serialize(Archive& ar) {
        ar(text, line);
    }

    std::string text;
    int line = 0;
};

/// No std::exception at all.
struct PlainFailure {
    int code;
};

/// Nothing can be derived from it.
struct FinalError final : std::exception {
    FinalError() = default;
    explicit FinalError(std::string what) : text(std::move(what)) {}
    const char* what() const noexcept override { return text.c_str(); }

    template <class Archive>
    void serialize(Archive& ar) {
        ar(text);
    }

    std::string text;
};

} // namespace support
