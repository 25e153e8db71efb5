// SPDX-License-Identifier: BSL-1.0
// The inventory of a test case lists descriptors elsewhere; here handles are counted.
#if defined(_WIN32)

#include <platform/every_header.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <cstdint>
#include <vector>

#include <windows.h>

using namespace contracts;

namespace {

/// One of everything that takes handles.
void use_everything() {
    platform::Lifeline lifeline;
    auto pipe = platform::make_pipe();
    auto request = child_program({"echo"});
    request.argument(request.pass(pipe.reader));
    request.argument(request.pass(pipe.writer));
    auto child = platform::spawn(request);
    child.kill();
    end_of(child);
    platform::MemoryObject memory{1 << 20};
    const std::vector<platform::Doorbell> bells(70);
    std::vector<platform::NativeHandle> handles;
    for (const auto& bell : bells) handles.push_back(bell.handle().native());
    platform::wait_any(handles, Deadline::after(1ms));
    platform::Word word{0};
    const platform::Parking parking{&word, {1, 2}};
    parking.sleep(word, 0, 1ms);
    parking.wake_all(word);
    platform::SpawnRequest wrong{"/no/such/program"};
    wrong.pass(pipe.reader);
    CHECK_THROWS(platform::spawn(wrong));
}

/// By trying all values. (GetProcessHandleCount says 0 under Wine.)
int open_handles() {
    int count = 0;
    for (std::uintptr_t value = 4; value < 40'000; value += 4) {
        DWORD flags = 0;
        if (GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags)) ++count;
    }
    return count;
}

} // namespace

TEST_CASE("no handle stays open", "[windows_handles]") {
    use_everything(); // the system's thread pool keeps some
    const int before = open_handles();
    for (int i = 0; i < 20; ++i) use_everything();
    CHECK(open_handles() < before + 10);
}

#endif
