// SPDX-License-Identifier: BSL-1.0
/// @file inventory.cpp  Reads /proc; on Windows asks the tool help library.

#include <support/inventory.hpp>

#include <algorithm>

#if defined(_WIN32)

#include <windows.h>
// after windows.h
#include <tlhelp32.h>

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
    std::vector<std::string> lines;
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
