// SPDX-License-Identifier: BSL-1.0
// A program includes <windows.h> before us: nothing of ours may clash with it. The other order:
// windows_header_last.
#if defined(_WIN32)

#include <windows.h>
// after windows.h
#include <psapi.h>

#include <platform/every_header.hpp>
#include <support/catch.hpp>

namespace platform = multiprocessing::detail::platform;

static_assert(sizeof(platform::ConsoleScreen) == sizeof(CONSOLE_SCREEN_BUFFER_INFO));
static_assert(sizeof(platform::JobLimits) == sizeof(JOBOBJECT_EXTENDED_LIMIT_INFORMATION));
static_assert(sizeof(platform::MemoryStatus) == sizeof(MEMORYSTATUSEX));
static_assert(sizeof(platform::ProcessMemory) == sizeof(PROCESS_MEMORY_COUNTERS));
static_assert(sizeof(platform::PeFileHeader) == sizeof(DWORD) + sizeof(IMAGE_FILE_HEADER));
static_assert(sizeof(platform::PeSection) == sizeof(IMAGE_SECTION_HEADER));
static_assert(sizeof(platform::PeDirectory) == sizeof(IMAGE_DATA_DIRECTORY));
static_assert(sizeof(platform::PeDebugEntry) == sizeof(IMAGE_DEBUG_DIRECTORY));

TEST_CASE("the library works after <windows.h>", "[windows_header]") {
    CHECK(platform::memory_room().machine > 0);
    CHECK(static_cast<DWORD>(platform::current_pid()) == GetCurrentProcessId());
}

#endif
