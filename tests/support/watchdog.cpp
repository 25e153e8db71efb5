// SPDX-License-Identifier: BSL-1.0
/// @file watchdog.cpp  An alarm and a script: neither a thread nor a child that a test could take for its own.

#include <support/watchdog.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

unsigned patience() {
    const char* seconds = std::getenv("MP_TEST_SECONDS");
    return seconds ? static_cast<unsigned>(std::atoi(seconds)) : 200;
}

} // namespace

#if defined(_WIN32)

#include <windows.h>

void support::start_watchdog() {
    HANDLE thread = CreateThread(
        nullptr, 0,
        [](void*) -> DWORD {
            Sleep(patience() * 1000);
            std::fputs("WATCHDOG: no end in sight\n", stderr);
            TerminateProcess(GetCurrentProcess(), 124);
            return 0;
        },
        nullptr, 0, nullptr);
    CloseHandle(thread);
}

#else

#include <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// Written before the alarm is set: the handler may do very little.
std::string script = MP_TEST_SCRIPTS "/who_waits.sh";
std::string own_pid;

void report(int) {
    char* arguments[] = {const_cast<char*>("sh"), script.data(), own_pid.data(), nullptr};
    pid_t pid;
    // posix_spawn, as fork would run handlers that take the very locks of the deadlock.
    if (::posix_spawnp(&pid, "sh", nullptr, nullptr, arguments, environ) == 0) ::waitpid(pid, nullptr, 0);
    ::_exit(124);
}

} // namespace

void support::start_watchdog() {
    own_pid = std::to_string(::getpid());
    struct sigaction action {};
    action.sa_handler = report;
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(patience());
}

#endif
