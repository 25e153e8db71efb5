#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file support.hpp  What the tests of connections within one process share.

#include <support/catch.hpp>

#include <multiprocessing/connection.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

namespace connection {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

inline std::vector<std::byte> bytes_of(const std::string& text) {
    std::vector<std::byte> bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

/// The error that `call` throws; must be a std::system_error.
template <class Call>
std::error_code error_of(Call call) {
    try {
        call();
    } catch (const std::system_error& error) { return error.code(); }
    return {};
}

/// What other threads find; Catch's own checks are for the main thread only.
class Verdict {
public:
    void expect(bool right) { wrong_ += right ? 0 : 1; }
    int wrong() const { return wrong_; }

private:
    std::atomic<int> wrong_{0};
};

} // namespace connection
