// SPDX-License-Identifier: BSL-1.0
/// @file inventory.cpp  Reads /proc; on Windows asks the tool help library and ntdll.

#include <support/inventory.hpp>

#include <algorithm>
#include <cstdint>

#if defined(_WIN32)

#include <windows.h>
// after windows.h
#include <tlhelp32.h>
#include <winternl.h>

namespace {

std::string type_of(HANDLE handle) {
    using Query = NTSTATUS NTAPI(HANDLE, OBJECT_INFORMATION_CLASS, void*, ULONG, ULONG*);
    static auto* const query = reinterpret_cast<Query*>(
        reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryObject")));
    alignas(8) char buffer[1024];
    constexpr auto type_information = static_cast<OBJECT_INFORMATION_CLASS>(2);
    if (query(handle, type_information, buffer, sizeof buffer, nullptr) < 0) return {};
    const auto& name = *reinterpret_cast<const UNICODE_STRING*>(buffer);
    return std::string(name.Buffer, name.Buffer + name.Length / 2);
}

/// What does not come by itself: the C++ runtime makes events and semaphores when it first needs them.
/// By trying values: free ones are used again, the lowest first. (A thread that asks Wine's server for a list of all
/// handles of the system is sometimes ended by it.)
std::vector<std::string> lasting_handles() {
    std::vector<std::string> lines;
    int unused = 0;
    for (std::uintptr_t value = 4; unused < 100; value += 4, ++unused) {
        const auto handle = reinterpret_cast<HANDLE>(value);
        const std::string type = type_of(handle);
        if (type.empty()) continue;
        unused = 0;
        if (type == "Process" || type == "Job" || type == "Section" || type == "File")
            lines.push_back("handle " + std::to_string(value) + " of a " + type);
    }
    return lines;
}

} // namespace

std::vector<int> support::children() {
    std::vector<int> found;
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry{};
    entry.dwSize = sizeof entry;
    for (BOOL more = Process32First(snapshot, &entry); more; more = Process32Next(snapshot, &entry)) {
        if (entry.th32ParentProcessID == GetCurrentProcessId())
            found.push_back(static_cast<int>(entry.th32ProcessID));
    }
    CloseHandle(snapshot);
    return found;
}

std::vector<std::string> support::inventory() {
    std::vector<std::string> lines = lasting_handles();
    for (int pid : children()) lines.push_back("child " + std::to_string(pid));
    std::sort(lines.begin(), lines.end());
    return lines;
}

#else

#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (fs::directory_iterator it{folder, ignored}, end; it != end; it.increment(ignored))
        found.push_back(it->path());
    return found;
}

/// A file of /proc; empty if what it is about has ended meanwhile.
std::string content(const fs::path& path) {
    std::string text(4096, '\0');
    std::FILE* const file = std::fopen(path.c_str(), "re");
    text.resize(file ? std::fread(text.data(), 1, text.size(), file) : 0);
    if (file) std::fclose(file);
    return text;
}

} // namespace

std::vector<int> support::children() {
    std::vector<int> found;
    for (const auto& process : entries("/proc")) {
        if (process.filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string text = content(process / "stat"); // "7 (name) S 1 ..."
        const auto name_end = text.rfind(')');
        if (name_end == std::string::npos || text.size() < name_end + 4) continue;
        if (std::stoi(text.substr(name_end + 4)) == getpid())
            found.push_back(std::stoi(process.filename().string()));
    }
    return found;
}

std::vector<std::string> support::inventory() {
    std::vector<std::string> lines;
    for (const auto& descriptor : entries("/proc/self/fd")) {
        std::error_code gone; // the one that lists this very folder
        const auto target = fs::read_symlink(descriptor, gone).string();
        if (!gone) lines.push_back("descriptor " + descriptor.filename().string() + " -> " + target);
    }
    for (const auto& thread : entries("/proc/self/task")) {
        lines.push_back("thread " + thread.filename().string() + " " + content(thread / "comm"));
    }
    for (int pid : children()) {
        const std::string text = content("/proc/" + std::to_string(pid) + "/stat");
        lines.push_back("child " + text.substr(0, text.find(')') + 3));
    }
    for (const auto& name : entries("/dev/shm")) lines.push_back("shared memory " + name.string());
    std::sort(lines.begin(), lines.end());
    return lines;
}

#endif
