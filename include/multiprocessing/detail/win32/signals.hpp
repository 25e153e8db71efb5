#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file signals.hpp  Win32 twin: there are none, but for Ctrl-C and the names.

#include <multiprocessing/detail/config.hpp>

#include <csignal>
#include <string>

namespace multiprocessing::inline v1::detail::platform {

class SignalMask {
public:
    static SignalMask of_caller();
    void apply() const {}

private:
    SignalMask() = default;
};

class [[nodiscard("an unnamed guard ends at once")]] AllSignalsBlocked {
public:
    AllSignalsBlocked() {}
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
    ~AllSignalsBlocked() {}
};

class [[nodiscard("an unnamed guard ends at once")]] BrokenPipeSignalHeld {
public:
    BrokenPipeSignalHeld() {}
    BrokenPipeSignalHeld(const BrokenPipeSignalHeld&) = delete;
    BrokenPipeSignalHeld& operator=(const BrokenPipeSignalHeld&) = delete;
    ~BrokenPipeSignalHeld() {}
};

// Not by SetConsoleCtrlHandler(nullptr, true): programs that this one starts would inherit that.
MULTIPROCESSING_INLINE bool ignore_interrupt(bool ignore);

/// The numbers are those of POSIX, which terminate() and kill() put into exit codes. What a crash
/// leaves as exit code is the code of an exception, 0xC0000005 say: negative as an int, so it comes
/// here as a huge "signal".
MULTIPROCESSING_INLINE std::string signal_name(int number);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstdint>
#include <cstdio>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE SignalMask SignalMask::of_caller() { return {}; }

MULTIPROCESSING_INLINE bool ignore_interrupt(bool ignore) {
    return std::signal(SIGINT, ignore ? SIG_IGN : SIG_DFL) == SIG_IGN;
}

MULTIPROCESSING_INLINE std::string signal_name(int number) {
    switch (number) {
    case 2: return "SIGINT";
    case 4: return "SIGILL";
    case 6: return "SIGABRT";
    case 8: return "SIGFPE";
    case 9: return "SIGKILL";
    case 11: return "SIGSEGV";
    case 15: return "SIGTERM";
    }
    const std::uint32_t exception = 0u - static_cast<std::uint32_t>(number);
    if (exception >> 28 != 0xC) return "signal " + std::to_string(number);
    char code[16];
    std::snprintf(code, sizeof code, "0x%08lX", static_cast<unsigned long>(exception));
    const std::string text = std::string("exception ") + code;
    switch (exception) {
    case 0xC0000005: return text + " (access violation)";
    case 0xC000001D: return text + " (illegal instruction)";
    case 0xC0000094: return text + " (integer division by zero)";
    case 0xC00000FD: return text + " (stack overflow)";
    case 0xC0000135: return text + " (a DLL was not found)";
    case 0xC0000374: return text + " (heap corruption)";
    case 0xC0000409: return text + " (fail fast)";
    }
    return text;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
