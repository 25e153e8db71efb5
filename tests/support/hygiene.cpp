// SPDX-License-Identifier: BSL-1.0
/// @file hygiene.cpp  A listener that compares what exists before and after each case.

#define CATCH_CONFIG_EXTERNAL_INTERFACES // the listener base of version 2
#include <support/catch.hpp>
#include <support/hygiene.hpp>
#include <support/inventory.hpp>

#include <multiprocessing/detail/launch/children.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

int failures = 0;

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

class Hygiene : public Listener {
public:
    using Listener::Listener;

    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        Listener::testCaseStarting(info);
        name_ = info.name;
        // What a process has for its whole life is there before the first case.
        std::thread([] {}).join(); // ThreadSanitizer makes a thread of its own with the first one
        multiprocessing::detail::tree();
        auto& launching = multiprocessing::detail::process_wide<multiprocessing::detail::LaunchState>();
        launching.lifeline();
        launching.hold_tree();
        before_ = support::inventory();
    }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        multiprocessing::detail::process_wide<multiprocessing::detail::LaunchState>().stop_server();
        // What ends by itself gets a moment: a detached thread that is returning, a child that is being reaped. What was not
        // there at every look belongs to a test that runs beside this one.
        std::vector<std::string> left;
        for (int attempt = 0; attempt < 500; ++attempt) {
            multiprocessing::detail::children().bury();
            multiprocessing::detail::forked_copies().collect();
            auto after = support::inventory();
            // It is there for the life of the tree, from the first shared memory with a name on.
            std::erase_if(after, [](const std::string& line) {
                const int janitor = multiprocessing::detail::this_process().janitor.load();
                return janitor != 0 && line.rfind("child " + std::to_string(janitor) + " ", 0) == 0;
            });
            std::vector<std::string> new_things;
            std::set_difference(after.begin(), after.end(), before_.begin(), before_.end(),
                                std::back_inserter(new_things));
            if (attempt == 0) {
                left = std::move(new_things);
            } else {
                std::erase_if(left, [&](const std::string& thing) {
                    return !std::binary_search(new_things.begin(), new_things.end(), thing);
                });
            }
            if (left.empty()) break;
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
        }
        if (!left.empty()) {
            ++failures;
            std::cout << "HYGIENE: the case '" << name_ << "' left behind:\n";
            for (const auto& thing : left) std::cout << "    " << thing << "\n";
            std::cout << std::flush;
        }
        Listener::testCaseEnded(stats);
    }

private:
    std::string name_; // Catch2's two versions say it in different ways in the end
    std::vector<std::string> before_;
};

} // namespace

CATCH_REGISTER_LISTENER(Hygiene)

int support::hygiene_failures() { return failures; }
