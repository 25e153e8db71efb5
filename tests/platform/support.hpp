#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file support.hpp  What the suites of the contracts share: starting the child program, reading what it says.

#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <chrono>
#include <initializer_list>
#include <string>

namespace contracts {

using namespace std::chrono_literals;
using namespace multiprocessing::detail;
namespace platform = multiprocessing::detail::platform;

/// Longer than anything takes on a machine that is merely busy.
inline Deadline patience() { return Deadline::after(60s); }

/// A request for the child program in one of its modes.
inline platform::SpawnRequest child_program(std::initializer_list<std::string> arguments) {
    const auto self = platform::program_path();
    platform::SpawnRequest request{self.parent_path() / ("test_child" + self.extension().string())};
    for (const auto& argument : arguments) request.argument(argument);
    return request;
}

/// Waits for the end of a child.
inline platform::Ending end_of(platform::Child& child) {
    platform::wait_one(child.sentinel().native(), patience());
    auto ending = child.poll();
    if (!ending) throw std::runtime_error("the child has not ended");
    return *ending;
}

/// All that comes out of a pipe until its end.
inline std::string read_to_end(const platform::Handle& end) {
    std::string text;
    std::byte bytes[4096];
    while (const std::size_t got = platform::read_some(end, bytes))
        text.append(reinterpret_cast<const char*>(bytes), got);
    return text;
}

/// Exactly `size` bytes from a pipe, or what there was.
inline std::string read_text(const platform::Handle& end, std::size_t size) {
    std::string text(size, '\0');
    if (!platform::read_all(end, std::as_writable_bytes(std::span(text)))) text = "(end of file)";
    return text;
}

} // namespace contracts
