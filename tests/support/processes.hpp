#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file processes.hpp  What tests with processes share.

#include <support/catch.hpp>
#include <support/tally.hpp>

#include <multiprocessing/process.hpp>
#include <multiprocessing/spawn.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace process {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using support::Tally;

/// Expects a line of the log that contains a text; while it lives, the log does not go to standard error.
class ExpectedLog {
public:
    explicit ExpectedLog(std::string text) : state_(std::make_shared<State>()) {
        state_->text = std::move(text);
        mp::get_logger().add_sink([state = state_](mp::LogLevel, std::string_view line) {
            std::lock_guard lock{state->mutex};
            state->lines.emplace_back(line);
        });
    }

    bool seen() const {
        std::lock_guard lock{state_->mutex};
        for (const auto& line : state_->lines) {
            if (line.find(state_->text) != std::string::npos) return true;
        }
        return false;
    }

private:
    struct State {
        std::mutex mutex;
        std::string text;
        std::vector<std::string> lines;
    };
    std::shared_ptr<State> state_;
};

} // namespace process
