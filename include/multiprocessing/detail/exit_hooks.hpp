#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file exit_hooks.hpp  What a child does last, for those who asked for it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/util.hpp>

#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class ExitHooks : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::exit_hooks;

    void add(std::function<void()> hook) {
        std::lock_guard lock{mutex};
        hooks_.push_back(std::move(hook));
    }

    /// Runs them, last added first; also those that are added meanwhile. What they throw is logged.
    void run() noexcept {
        for (;;) {
            std::function<void()> hook;
            {
                std::lock_guard lock{mutex};
                if (hooks_.empty()) return;
                hook = std::move(hooks_.back());
                hooks_.pop_back();
            }
            try {
                hook();
            } catch (const std::exception& error) {
                get_logger().log(LogLevel::error,
                                 std::string("a function of at_child_exit() threw: ") + error.what());
            } catch (...) { get_logger().log(LogLevel::error, "a function of at_child_exit() threw"); }
        }
    }

    /// In a new child: what its parent had asked for is the parent's.
    void clear() {
        std::lock_guard lock{mutex};
        hooks_.clear();
    }

private:
    std::vector<std::function<void()>> hooks_;
};

} // namespace multiprocessing::inline v1::detail
