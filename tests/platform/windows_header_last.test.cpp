// SPDX-License-Identifier: BSL-1.0
// A program includes <windows.h> after us: it must not have been there yet, and nothing of ours may clash with
// it.
#if defined(_WIN32)

#include <platform/every_header.hpp>

#if defined(_WINDOWS_) || defined(_INC_WINDOWS)
#error "a header of the library includes <windows.h>"
#endif

#include <windows.h>
// after windows.h
#include <psapi.h>

#include <support/catch.hpp>

TEST_CASE("the library works before <windows.h>", "[windows_header]") {
    namespace platform = multiprocessing::detail::platform;
    CHECK(platform::memory_room().machine > 0);
    CHECK(static_cast<DWORD>(platform::current_pid()) == GetCurrentProcessId());
}

#endif
