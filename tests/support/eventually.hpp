#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file eventually.hpp  Waiting for what comes by itself, and how long it takes is nobody's promise.

#include <multiprocessing/process.hpp>

#include <chrono>
#include <cstddef>
#include <thread>

namespace support {

/// Whether `condition()` comes true within a minute. The look that finds it true is the last one: what is seen may pass.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition) {
    using clock = std::chrono::steady_clock;
    const auto end = clock::now() + std::chrono::minutes{1};
    while (!condition()) {
        if (clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
    return true;
}

/// Whether there are so many children, now or soon: a worker's start and its end take their time.
[[nodiscard]] inline bool comes_to_have_children(std::size_t count) {
    return eventually([count] { return multiprocessing::active_children().size() == count; });
}

} // namespace support
