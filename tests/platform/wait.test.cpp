// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/doorbell.hpp>

#include <chrono>
#include <thread>
#include <vector>

using namespace contracts;

namespace {

using Ready = std::vector<std::size_t>;

std::vector<platform::NativeHandle> handles_of(const std::vector<platform::Doorbell>& bells) {
    std::vector<platform::NativeHandle> handles;
    for (const auto& bell : bells) handles.push_back(bell.handle().native());
    return handles;
}

} // namespace

TEST_CASE("waiting for any names all that are ready, in order", "[wait]") {
    const auto count = GENERATE(as<std::size_t>{}, 3, 63, 64, 65, 128, 200, 500);
    std::vector<platform::Doorbell> bells(count);
    const auto handles = handles_of(bells);
    CHECK(platform::wait_any(handles, Deadline::after(0s)).empty());
    bells[count - 1].ring();
    CHECK(platform::wait_any(handles, patience()) == Ready{count - 1});
    bells[0].ring();
    bells[count / 2].ring();
    CHECK(platform::wait_any(handles, patience()) == Ready{0, count / 2, count - 1});
    for (auto& bell : bells) bell.silence();
    CHECK(platform::wait_any(handles, Deadline::after(0s)).empty());
}

TEST_CASE("a wait ends when one of hundreds is rung meanwhile", "[wait]") {
    std::vector<platform::Doorbell> bells(300);
    const auto handles = handles_of(bells);
    std::thread ringer([&] {
        std::this_thread::sleep_for(20ms);
        bells[257].ring();
    });
    const auto ready = platform::wait_any(handles, patience());
    ringer.join();
    CHECK(ready == Ready{257});
}

TEST_CASE("a wait lasts at least until its deadline", "[wait]") {
    const auto count = GENERATE(as<std::size_t>{}, 0, 1, 100);
    std::vector<platform::Doorbell> bells(count);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(platform::wait_any(handles_of(bells), Deadline::after(30ms)).empty());
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
}

TEST_CASE("the ends of a hundred children are all noticed", "[wait]") {
    std::vector<platform::Child> children;
    std::vector<platform::NativeHandle> handles;
    for (int i = 0; i < 100; ++i) {
        children.push_back(platform::spawn(child_program({"exit", std::to_string(i)})));
        handles.push_back(children.back().sentinel().native());
    }
    std::size_t ended = 0;
    std::vector<bool> seen(children.size());
    while (ended < children.size()) {
        const auto ready = platform::wait_any(handles, patience());
        REQUIRE_FALSE(ready.empty());
        for (const std::size_t i : ready) {
            if (seen[i]) continue;
            seen[i] = true;
            ++ended;
            CHECK(children[i].poll()->exitcode == static_cast<int>(i));
        }
    }
}
